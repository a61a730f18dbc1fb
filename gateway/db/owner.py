"""Working as the owner of the tables: migrations, roles, and the tests' database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from gateway import env

from .base import DatabaseWrapper


def login_role() -> str:
    """The role that the application logs in as; `_app` and `_wide` are named after it."""
    return str(settings.DATABASE_LOGIN)


@contextmanager
def as_owner() -> Iterator[None]:
    """Within the block the default connection is the owner's (DATABASE_OWNER_URL), whom row policies let pass.

    Raises EnvError where no owner URL is set.
    """
    if not settings.DATABASE_OWNER_URL:
        raise env.EnvError("DATABASE_OWNER_URL is not set: migrations run as the owner of the tables")
    connection = cast(DatabaseWrapper, connections[DEFAULT_DB_ALIAS])
    owner = env.database(settings.DATABASE_OWNER_URL, "DATABASE_OWNER_URL")
    before = dict(connection.settings_dict)
    connection.close()
    connection.close_pool()
    connection.settings_dict.update({k: owner[k] for k in ("USER", "PASSWORD", "HOST", "PORT")})
    try:
        yield
    finally:
        connection.close()
        connection.close_pool()
        connection.settings_dict.clear()
        connection.settings_dict.update(before)
