from django.apps import AppConfig


class StorageConfig(AppConfig):
    name = "storage"

    def ready(self) -> None:
        from tenants import purge_steps

        purge_steps.register("storage", "storage.services.purge.purge", order=10)
