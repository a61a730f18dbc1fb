from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    name = "realtime"

    def ready(self) -> None:
        from realtime.services import purge as purge_events
        from tenants.services import purge

        purge.register("events", purge_events, order=20)
