from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class GatewayConfig(AppConfig):
    name = "gateway"

    def ready(self) -> None:
        from gateway import checks  # noqa: F401  registers the system checks


class AdminConfig(DjangoAdminConfig):
    default_site = "gateway.admin_site.AdminSite"
