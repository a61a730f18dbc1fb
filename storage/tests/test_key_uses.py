"""When a key was last used."""

from __future__ import annotations

import pytest

from gateway.db.scope import tenant_scope
from gateway.decision.database import Database
from storage.s3 import uses
from storage.services import access_keys
from tenants.models import Tenant
from tests import factories


@pytest.fixture
def key_id(tenant: Tenant) -> str:
    admin = factories.member(tenant)
    with tenant_scope(tenant.pk):
        return access_keys.issue_access_key("k", actor=admin)[0].access_key_id


async def test_the_uses_of_a_while_are_one_write(
    db: Database, key_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uses, "EVERY_SECONDS", 0.01)
    noting = uses.Uses(db)
    for _ in range(3):
        noting.note(key_id)
    noting.note("GHNOBODY")
    assert noting._writing is not None
    await noting._writing
    async with db.wide() as conn:
        rows = await conn.fetch("SELECT access_key_id FROM storage_accesskey WHERE last_used_at IS NOT NULL")
    assert [row["access_key_id"] for row in rows] == [key_id]
