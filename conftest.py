"""The tests' database: made and migrated as the owner of the tables, used as the application's login.

PostgreSQL and Valkey come from the environment; `make test` starts them, and for a few tests by hand:
`.venv/bin/python -m gateway.supervisor services --home var/dev -- .venv/bin/pytest PATH`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from pytest_django.plugin import DjangoDbBlocker

pytest_plugins = ["tests.stack"]


def pytest_configure() -> None:
    if not os.environ.get("DATABASE_OWNER_URL"):
        raise pytest.UsageError(
            "no database: run the tests with `make test`, or start them with "
            "`.venv/bin/python -m gateway.supervisor services --home var/dev -- .venv/bin/pytest …`"
        )


@pytest.fixture(autouse=True, scope="session")
def _tests_own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Argon2 with the least cost: tests make hundreds of accounts. No rate limits: they come from one address.

    Static files are looked for when they are asked for: WhiteNoise would list them all for every test client.
    """
    from django.test import override_settings

    with override_settings(
        PASSWORD_HASHERS=["tests.hashers.QuickArgon2"],
        API_RATE_LIMIT=0,
        AUTH_RATE_LIMIT=0,
        WHITENOISE_AUTOREFRESH=True,
        STORAGE_ROOT=tmp_path_factory.mktemp("blobs"),
    ):
        yield


@pytest.fixture(autouse=True)
def _no_attempts_before() -> None:
    """Tests sign in from one address, which would have to wait longer and longer."""
    from realtime.services import valkey
    from tenants.services import throttle

    if found := list(valkey().scan_iter(f"*{throttle.PREFIX}*", count=1000)):
        valkey().delete(*found)


@pytest.fixture(autouse=True, scope="session")
def _emptied_fast() -> Iterator[None]:
    """Deleting the few rows that a test leaves takes a twentieth of the time that TRUNCATE of all tables takes.

    Where the owner may not (`GRANT SET ON PARAMETER session_replication_role`), Django's way is gone.
    """
    from django.test import TransactionTestCase

    once = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def _fixture_teardown(self: TransactionTestCase) -> None:
        if not emptied():
            once(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _fixture_teardown)
        yield


# What migrations put there, which flushing would put there again.
_KEPT = ["django_migrations", "django_content_type", "auth_permission"]


def emptied() -> bool:
    """Delete every row of the tests' database, past triggers and foreign keys; False where that is not permitted.

    Readers, such as a fixture's processes, go on; writers are waited for, so that nothing of theirs comes after.
    """
    from django.conf import settings
    from django.db import connection

    url = urlsplit(settings.DATABASE_OWNER_URL)._replace(path=f"/{connection.settings_dict['NAME']}")
    with psycopg.connect(url.geturl(), autocommit=True) as owner:
        try:
            owner.execute("SET session_replication_role = replica")
        except psycopg.errors.InsufficientPrivilege:
            return False
        for _ in range(4):
            with suppress(psycopg.errors.DeadlockDetected), owner.transaction():
                _delete_all(owner)
                return True
        _delete_all(owner)
        return True


def _delete_all(owner: psycopg.Connection[Any]) -> None:
    found = owner.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        " AND pg_relation_size(oid) > 0 AND NOT relname = ANY(%s) ORDER BY relname",
        [_KEPT],
    ).fetchall()
    tables = [sql.Identifier(name) for (name,) in found]
    if tables:
        owner.execute(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(sql.SQL(", ").join(tables)))
    for table in tables:
        owner.execute(sql.SQL("DELETE FROM {}").format(table))


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: DjangoDbBlocker, django_db_keepdb: bool
) -> Iterator[None]:
    """The application has its real rights in it, plus TRUNCATE, which empties tables between tests."""
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    from gateway.db.owner import as_owner
    from gateway.db.roles import prepare_roles

    with django_db_blocker.unblock():
        with as_owner():
            prepare_roles()  # roles belong to the cluster: the policies of the first migration name them
            made = setup_databases(
                verbosity=0, interactive=False, keepdb=django_db_keepdb, serialized_aliases=[]
            )
            prepare_roles(truncate=True)
            name = connection.settings_dict["NAME"]
        connection.settings_dict["NAME"] = name
    yield
    if not django_db_keepdb:
        with django_db_blocker.unblock(), as_owner():
            teardown_databases(made, verbosity=0)
