from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    name = "realtime"

    def ready(self) -> None:
        from tenants import purge_steps

        purge_steps.register("events", "realtime.services.purge", order=20)
