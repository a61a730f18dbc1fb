"""Django's PostgreSQL engine, with the role and the tenant of `gateway.db.scope` set before any statement.

The connection logs in as a role without rights of its own (`NOINHERIT`), which may become `<login>_app`,
where row policies apply, or `<login>_wide`, which sees all tenants. What the server holds is remembered and
sent again only when it differs; a rollback, also to a savepoint, reverts it there, so it is forgotten here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import is_psycopg3
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from psycopg.pq import TransactionStatus

from .scope import Scope, current_scope

assert is_psycopg3, "Gatehouse runs on psycopg 3"


class _Scoped(CursorWrapper):
    """A cursor that brings the connection into the current scope before it sends anything."""

    db: DatabaseWrapper

    def _execute(self, sql: str, params: Any, *ignored: Any) -> Any:
        self.db.enter_scope()
        return super()._execute(sql, params, *ignored)  # type: ignore[misc]

    def _executemany(self, sql: str, param_list: Any, *ignored: Any) -> Any:
        self.db.enter_scope()
        return super()._executemany(sql, param_list, *ignored)  # type: ignore[misc]

    def callproc(self, procname: str, params: Any = None, kparams: Any = None) -> Any:
        self.db.enter_scope()
        return super().callproc(procname, params, kparams)

    def copy(self, *args: Any, **kwargs: Any) -> Any:
        self.db.enter_scope()
        return self.cursor.copy(*args, **kwargs)

    def stream(self, *args: Any, **kwargs: Any) -> Iterable[Any]:
        self.db.enter_scope()
        return self.cursor.stream(*args, **kwargs)  # type: ignore[no-any-return]


class _ScopedDebug(CursorDebugWrapper, _Scoped):
    """The same with Django's query log (DEBUG and assertNumQueries)."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Takes the scope's role, unless it logs in as somebody else: the tables' owner, for migrations."""

    _sent: Scope | None = None

    def enter_scope(self) -> None:
        if self.settings_dict["USER"] != settings.DATABASE_LOGIN:
            return
        scope = current_scope()
        if scope == self._sent:
            return
        self.validate_no_broken_transaction()
        role = settings.DATABASE_LOGIN + ("_wide" if scope.wide else "_app")
        tenant = "" if scope.tenant_id is None else str(scope.tenant_id)
        self._sent = None
        with self.wrap_database_errors, self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('role', %s, false), set_config('app.tenant', %s, false)", [role, tenant]
            )
        self._sent = scope

    def make_cursor(self, cursor: Any) -> CursorWrapper:
        return _Scoped(cursor, self)

    def make_debug_cursor(self, cursor: Any) -> CursorDebugWrapper:
        return _ScopedDebug(cursor, self)

    def init_connection_state(self) -> None:
        self._sent = None
        super().init_connection_state()

    def _close(self) -> Any:
        self._sent = None
        return super()._close()  # type: ignore[misc]

    def _rollback(self) -> Any:
        self._sent = None
        return super()._rollback()  # type: ignore[misc]

    def _savepoint_rollback(self, sid: str) -> None:
        self._sent = current_scope()  # a failed transaction takes no other statement first
        super()._savepoint_rollback(sid)  # type: ignore[misc]
        self._sent = None

    def _commit(self) -> Any:
        # The server answers COMMIT of a failed transaction with a silent rollback.
        if (
            self.connection is not None
            and self.connection.info.transaction_status != TransactionStatus.INTRANS
        ):
            self._sent = None
        return super()._commit()  # type: ignore[misc]
