"""What a tenant's own writers need is not held by whoever changes the tenant."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from gateway.db.scope import platform_scope
from realtime.services import publish
from tenants.services import tenants
from tests import factories


def _write_an_event(tenant_id: int) -> int:
    """As the data plane does: the tenant's log is locked, then a row is inserted that refers to the tenant."""
    try:
        with platform_scope("test"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', '2s', true)")
            return publish(tenant_id, "storage.object.created")
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_an_object_is_written_while_its_tenant_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant, staff = factories.tenant(), factories.staff()
    written: list[int] = []

    def meanwhile(*args: Any, **kwargs: Any) -> None:
        with ThreadPoolExecutor(1) as other:
            written.append(other.submit(_write_an_event, tenant.pk).result())

    monkeypatch.setattr("realtime.services.publish", meanwhile)
    tenants.update_tenant(tenant, name="Renamed", limits={"buckets": 3}, actor=staff)
    assert written
