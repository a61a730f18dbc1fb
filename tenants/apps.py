from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "tenants"

    def ready(self) -> None:
        from django.contrib.auth.models import update_last_login
        from django.contrib.auth.signals import user_logged_in

        # Accounts are platform-wide, and so is the time of a sign-in: `services.sign_ins` writes it.
        user_logged_in.disconnect(update_last_login, dispatch_uid="update_last_login")
