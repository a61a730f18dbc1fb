"""Passwords and sessions. Accounts are known platform-wide, so finding one looks across tenants."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from gateway.db.scope import platform_scope

from .models import User


class AccountBackend(ModelBackend):
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> Any:
        with platform_scope("who signs in is not known yet"):
            return super().authenticate(request, username, password, **kwargs)

    def get_user(self, user_id: Any) -> User | None:
        with platform_scope("the session names an account, not yet a tenant"):
            return super().get_user(user_id)

    def user_can_authenticate(self, user: Any) -> bool:
        """Service accounts hold API keys and sign in nowhere, whatever password one may have."""
        return super().user_can_authenticate(user) and user.kind == User.Kind.PERSON
