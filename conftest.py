"""The tests' database: made and migrated as the owner of the tables, used as the application's login.

PostgreSQL and Valkey come from the environment; `make test` starts them, and for a few tests by hand:
`.venv/bin/python -m gateway.supervisor services --home var/dev -- .venv/bin/pytest PATH`.
"""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from argon2 import PasswordHasher
from django.core.cache import cache
from django_ratelimit import core as ratelimit_core
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


@pytest.fixture(autouse=True, scope="session")
def product_key_hasher() -> Iterator[PasswordHasher]:
    """What hashes the secrets of API keys in the product. Tests make hundreds, with the least cost."""
    from tenants.services import key_secrets

    product = key_secrets._HASHER
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_secrets, "_HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield product


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """The collector of garbage need not go through thousands of tests again and again, nor through them later."""
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    twice = [name for name, count in Counter(one.nodeid for one in items).items() if count > 1]
    if twice:
        raise pytest.UsageError(f"workers would run only one of those that share an id: {twice}")
    marked = [one.nodeid for one in items if one.get_closest_marker("browser")]
    if astray := [name for name in marked if not name.startswith("tests/browser/")]:
        raise pytest.UsageError(f"`make test` looks for these in tests/browser alone: {astray}")
    items.sort(key=_turn)


# Files of half a minute and more: a worker that begins one of them last works alone for as long.
_FIRST = (
    "tests/permissions/test_permissions.py",
    "tests/isolation/test_doors.py",
    "tests/test_operations.py",
    "storage/s3/tests/test_clients_live.py",
    "tests/test_bad_input.py",
    "storage/s3/tests/test_remote_live.py",
    "tests/openapi/test_as_nobody.py",
    "realtime/tests/test_slow_readers.py",
    "realtime/tests/test_outages.py",
    "storage/s3/tests/test_access_keys_live.py",
    "tests/browser/test_every_page.py",
    "tests/browser/test_policy.py",
)


def _turn(item: pytest.Item) -> int:
    path = item.nodeid.partition("::")[0]
    return _FIRST.index(path) if path in _FIRST else len(_FIRST)


def pytest_collection_finish() -> None:
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts requests by the minute in this process sees no minute end during a test."""
    monkeypatch.setattr(ratelimit_core, "time", SimpleNamespace(time=partial(float, time.time())))


class _Patient:
    """The cache as it is, except that what it forgets soon it keeps for an hour more."""

    def __getattr__(self, name: str) -> Any:
        return getattr(cache, name)

    def add(self, key: str, value: object, timeout: float) -> bool:
        return bool(cache.add(key, value, timeout=timeout + 3600))


@pytest.fixture(autouse=True)
def _no_wait_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait between attempts to guess ends during a test, however slow the machine is."""
    monkeypatch.setattr("tenants.services.throttle.cache", _Patient())


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
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The application has its real rights in it, plus TRUNCATE, which empties tables between tests."""
    from django.db import connection

    from gateway.db.owner import as_owner
    from gateway.db.roles import prepare_roles
    from tests import database

    before = connection.settings_dict["NAME"]
    name = f"test_{before}"
    with django_db_blocker.unblock():
        database.make(name)
        connection.close()
        connection.settings_dict["NAME"] = name
        with as_owner():
            prepare_roles(truncate=True)
    yield
    with django_db_blocker.unblock():
        connection.close()
    connection.settings_dict["NAME"] = before
    database.drop(name)
