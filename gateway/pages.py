"""URLs of the pages that people use."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from . import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.home),
    path("app", views.home),
    path("app/", views.overview, name="overview"),
    path("app/login", views.login, name="login"),
    path("app/logout", views.logout, name="logout"),
    path("app/tenant", views.switch_tenant, name="switch-tenant"),
    path("app/", include("storage.urls")),
    path("app/", include("realtime.urls")),
    path("app/", include("tenants.urls")),
]
