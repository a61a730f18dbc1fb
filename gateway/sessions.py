"""Browsers' sessions in the database, where they are the platform's rows and no tenant's."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends import db

from gateway.db.scope import platform_scope

_WHY = "a session names an account, not yet a tenant"


class SessionStore(db.SessionStore):
    """Django's own, whatever scope the request is in."""

    def _get_session_from_db(self) -> Any:
        with platform_scope(_WHY):
            return super()._get_session_from_db()  # type: ignore[misc]

    def exists(self, session_key: str) -> bool:
        with platform_scope(_WHY):
            return super().exists(session_key)

    def save(self, must_create: bool = False) -> None:
        with platform_scope(_WHY):
            super().save(must_create)

    def delete(self, session_key: str | None = None) -> None:
        with platform_scope(_WHY):
            super().delete(session_key)
