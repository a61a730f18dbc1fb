from typing import Any

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "tenants"

    def ready(self) -> None:
        from django.contrib.auth.models import update_last_login
        from django.contrib.auth.signals import user_logged_in

        # Django writes the time of a sign-in by itself; accounts are platform-wide, so it needs that scope.
        user_logged_in.disconnect(update_last_login, dispatch_uid="update_last_login")
        user_logged_in.connect(_update_last_login, dispatch_uid="update_last_login")


def _update_last_login(sender: Any, user: Any, **kwargs: Any) -> None:
    from django.contrib.auth.models import update_last_login

    from gateway.db.scope import platform_scope

    with platform_scope("an account signs in, not yet a tenant"):
        update_last_login(sender, user, **kwargs)
