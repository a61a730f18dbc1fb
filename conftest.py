"""The tests' database: made and migrated as the owner of the tables, used as the application's login.

PostgreSQL and Valkey come from the environment; `make test` starts them, and for a few tests by hand:
`.venv/bin/python -m gateway.supervisor services --home var/dev -- .venv/bin/pytest PATH`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
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
def _emptied_beside_readers() -> Iterator[None]:
    """Tables are emptied between tests while a fixture's processes read several of them: a deadlock is tried again."""
    from django.db import OperationalError
    from django.db.backends.base.operations import BaseDatabaseOperations
    from psycopg.errors import DeadlockDetected

    once = BaseDatabaseOperations.execute_sql_flush

    def execute_sql_flush(self: BaseDatabaseOperations, sql_list: list[str]) -> None:
        for _ in range(4):
            try:
                return once(self, sql_list)
            except OperationalError as error:
                if not isinstance(error.__cause__, DeadlockDetected):
                    raise
        return once(self, sql_list)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", execute_sql_flush)
        yield


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
