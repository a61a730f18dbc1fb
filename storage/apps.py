from django.apps import AppConfig


class StorageConfig(AppConfig):
    name = "storage"

    def ready(self) -> None:
        from gateway import resealing
        from tenants import purge_steps

        purge_steps.register("storage", "storage.services.purge.purge", order=10)
        purge_steps.keep("storage.services.retained.kept")
        resealing.register("storage.services.reseal.data_keys")
