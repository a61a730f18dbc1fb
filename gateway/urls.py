from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularSwaggerSplitView

from gateway.api.document import openapi
from gateway.health import health
from gateway.metrics.views import metrics
from tenants.pages.jwks import jwks
from workspaces.views import introspect

admin.autodiscover()
urlpatterns = [
    path("health", health),
    path("metrics", metrics),
    path("api/v1/", include("gateway.api.urls")),
    path("openapi.json", openapi, name="openapi"),
    path(
        "docs",
        SpectacularSwaggerSplitView.as_view(
            url_name="openapi", authentication_classes=[], permission_classes=[]
        ),
        name="docs",
    ),
    path("jwks", jwks, name="jwks"),
    path("internal/auth/introspect", introspect),
    path("admin/", admin.site.urls),
    path("", include("gateway.pages")),
]

handler400 = "gateway.views.bad_request"
handler403 = "gateway.views.permission_denied"
handler404 = "gateway.views.not_found"
handler500 = "gateway.views.server_error"
