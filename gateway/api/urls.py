from django.urls import include, path, re_path

from .operations import HealthView, NothingView

urlpatterns = [
    path("", include("tenants.api.urls")),
    path("", include("storage.api.urls")),
    path("", include("realtime.api.urls")),
    path("", include("workspaces.api.urls")),
    path("health", HealthView.as_view()),
    re_path("", NothingView.as_view()),
]
