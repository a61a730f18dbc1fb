"""What the code that runs now may see of the database: one tenant's rows, the whole platform, or nothing.

The scope travels in a context variable, so it holds across awaits and ends with its block; the engine in
`gateway.db.base` makes the connection's role and `app.tenant` match it before any statement.
A thread that was started bare has no scope and sees no rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """`wide` sees all tenants; otherwise `tenant_id` alone, and None sees nothing."""

    tenant_id: int | None = None
    wide: bool = False


NOTHING = Scope()
_scope: ContextVar[Scope] = ContextVar("gatehouse_scope", default=NOTHING)


def current_scope() -> Scope:
    return _scope.get()


def enter_tenant(tenant_id: int) -> None:
    """Narrow the running request to a tenant. The block that `no_scope` opened around the request ends it."""
    _scope.set(Scope(tenant_id=tenant_id))


@contextmanager
def _scoped(scope: Scope) -> Iterator[None]:
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)


def tenant_scope(tenant_id: int) -> AbstractContextManager[None]:
    """Within the block, the database shows and takes rows of this tenant only."""
    return _scoped(Scope(tenant_id=tenant_id))


def platform_scope(reason: str) -> AbstractContextManager[None]:
    """Within the block, the database shows all tenants. `reason` is for the reader: say why it must."""
    assert reason
    return _scoped(Scope(wide=True))


def no_scope() -> AbstractContextManager[None]:
    """Within the block, the database shows nothing until a scope is entered; what is entered ends with it."""
    return _scoped(NOTHING)
