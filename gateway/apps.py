from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig


class GatewayConfig(AppConfig):
    name = "gateway"

    def ready(self) -> None:
        from gateway import checks  # noqa: F401  registers the system checks


class AdminConfig(SimpleAdminConfig):
    """Only the process that serves the administration loads it, with the URLs: it doubles a start."""

    default_site = "gateway.admin_site.AdminSite"
