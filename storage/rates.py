"""What tenants may ask of S3 in a minute, as the decision process holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.decision.snapshot import SnapshotPart

if TYPE_CHECKING:
    from gateway.decision.database import Connection


async def load_rates(conn: Connection) -> Mapping[int, int]:
    """Requests a minute by tenant id, of tenants that have a rate of their own; 0 is no limit."""
    rows = await conn.fetch("SELECT tenant_id, s3_rate FROM tenants_tenantsettings WHERE s3_rate IS NOT NULL")
    return dict(map(tuple, rows))


RATES = SnapshotPart("storage.rates", frozenset({"tenants"}), load_rates)
