from django.urls import path

from . import auth, views

urlpatterns = [
    path("auth/login", auth.LoginView.as_view()),
    path("auth/refresh", auth.RefreshView.as_view()),
    path("auth/logout", auth.LogoutView.as_view()),
    path("auth/introspect", auth.IntrospectView.as_view()),
    path("auth/me", auth.MeView.as_view()),
    path("tenants", views.TenantsView.as_view()),
    path("tenants/<uuid:public_id>", views.TenantView.as_view()),
    path("tenants/<uuid:public_id>/users", views.TenantUsersView.as_view()),
    path("tenants/<uuid:public_id>/domains", views.TenantDomainsView.as_view()),
    path("tenants/<uuid:public_id>/domains/<uuid:domain_id>", views.TenantDomainView.as_view()),
    path("tenants/<uuid:public_id>/usage", views.TenantUsageView.as_view()),
    path("roles", views.RolesView.as_view()),
    path("users", views.UsersView.as_view()),
    path("users/<uuid:public_id>", views.UserView.as_view()),
    path("api-keys", views.ApiKeysView.as_view()),
    path("api-keys/<uuid:public_id>", views.ApiKeyView.as_view()),
    path("audit", views.AuditView.as_view()),
]
