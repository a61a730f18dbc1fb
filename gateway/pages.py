"""URLs of the pages that people use."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from tenants.pages import sign_in

from . import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.home),
    path("app", views.home),
    path("app/", views.overview, name="overview"),
    path("app/login", sign_in.login, name="login"),
    path("app/login/second-factor", sign_in.second_factor, name="login-second-factor"),
    path("app/logout", sign_in.logout, name="logout"),
    path("app/tenant", views.switch_tenant, name="switch-tenant"),
    path("app/", include("storage.urls")),
    path("app/", include("workspaces.urls")),
    path("app/", include("realtime.urls")),
    path("app/", include("tenants.urls")),
]
