from django.apps import AppConfig


class StorageConfig(AppConfig):
    name = "storage"

    def ready(self) -> None:
        from storage.services import purge as storage
        from tenants.services import purge

        purge.register("storage", storage.purge, order=10)
