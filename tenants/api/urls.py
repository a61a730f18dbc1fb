from django.urls import path

from . import audit, auth, credentials, people, tenants

urlpatterns = [
    path("auth/login", auth.LoginView.as_view()),
    path("auth/refresh", auth.RefreshView.as_view()),
    path("auth/logout", auth.LogoutView.as_view()),
    path("auth/introspect", auth.IntrospectView.as_view()),
    path("auth/me", auth.MeView.as_view()),
    path("tenants", tenants.TenantsView.as_view()),
    path("tenants/<uuid:public_id>", tenants.TenantView.as_view()),
    path("tenants/<uuid:public_id>/users", people.TenantUsersView.as_view()),
    path("tenants/<uuid:public_id>/domains", tenants.TenantDomainsView.as_view()),
    path("tenants/<uuid:public_id>/domains/<uuid:domain_id>", tenants.TenantDomainView.as_view()),
    path("tenants/<uuid:public_id>/usage", tenants.TenantUsageView.as_view()),
    path("roles", people.RolesView.as_view()),
    path("users", people.UsersView.as_view()),
    path("users/<uuid:public_id>", people.UserView.as_view()),
    path("api-keys", credentials.ApiKeysView.as_view()),
    path("api-keys/<uuid:public_id>", credentials.ApiKeyView.as_view()),
    path("audit", audit.AuditView.as_view()),
]
