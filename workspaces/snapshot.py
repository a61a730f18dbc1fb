"""What the decision process holds of what runs: workspaces with who reaches them, and the ports of services.

    ctx.snapshot.get(WORKSPACES)      .named (tenant id, name) → WorkspaceInfo; .at client's address → WorkspaceInfo
    ctx.snapshot.get(SERVICE_PORTS)   public port → PortInfo

A workspace that is not in it, or does not run, is looked up (`find_workspace`) before it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import orjson

from gateway.decision.snapshot import SnapshotPart
from tenants.principal import Principal
from workspaces.addresses import client_address, dial

if TYPE_CHECKING:
    import asyncpg

    from gateway.decision.database import Connection


@dataclass(frozen=True, slots=True)
class WorkspaceInfo:
    """A workspace of an active tenant that is not deleted. The states' words: `workspaces.models.Instance`."""

    id: int
    key: str
    tenant_id: int
    tenant: str  # slug
    name: str
    owner_id: int | None
    shared_with: frozenset[int]
    is_hidden: bool
    desired_state: str
    stopped_for: str
    observed_state: str
    is_settled: bool
    address: str
    error: str
    ports: Mapping[str, int]
    offset: int

    @property
    def runs(self) -> bool:
        return self.desired_state == self.observed_state == "running" and bool(self.address)

    def is_reached_by(self, caller: Principal) -> bool:
        """The same rule as `Workspace.objects.visible_to`."""
        if caller.tenant.pk != self.tenant_id or caller.user is None:
            return False
        user = caller.user.pk
        if not self.is_hidden and (user == self.owner_id or user in self.shared_with):
            return True
        return caller.can("workspace.manage")


@dataclass(frozen=True, slots=True)
class PortInfo:
    """A port of a service of an active tenant. `dial` is empty while the service does not run."""

    public_port: int
    tenant_id: int
    tenant: str  # slug
    owner_id: int | None
    service: str
    key: str
    protocol: Literal["http", "tcp"]
    access: Literal["public", "tenant", "owner"]
    dial: str


@dataclass(frozen=True, slots=True)
class Workspaces:
    named: Mapping[tuple[int, str], WorkspaceInfo]
    at: Mapping[str, WorkspaceInfo]
    """By the address that a request of the workspace's own comes from."""


_WORKSPACES = """
SELECT w.id, w.public_id, w.tenant_id, t.slug, w.name, w.owner_id, w.is_hidden, w.desired_state, w.stopped_for,
    w.observed_state, w.generation = w.observed_generation AS is_settled, w.address, w.error, w.ports, w."offset",
    ARRAY(SELECT user_id FROM workspaces_workspaceshare s WHERE s.workspace_id = w.id) AS shared_with
FROM workspaces_workspace w
JOIN tenants_tenant t ON t.id = w.tenant_id
WHERE w.deleted_at IS NULL AND t.status = 'active'
"""
_PORTS = """
SELECT p.public_port, p.container_port, p.protocol, p.access, p.tenant_id, t.slug, s.owner_id, s.name, s.public_id,
    CASE WHEN s.desired_state = 'running' AND s.observed_state = 'running' THEN s.address ELSE '' END AS address
FROM workspaces_port p
JOIN workspaces_service s ON s.id = p.service_id
JOIN tenants_tenant t ON t.id = p.tenant_id
WHERE s.deleted_at IS NULL AND t.status = 'active' AND NOT EXISTS (
    SELECT FROM tenants_tenantsettings off WHERE off.tenant_id = t.id AND 'services' = ANY (off.disabled_features)
)
"""


def _workspace(row: asyncpg.Record) -> WorkspaceInfo:
    return WorkspaceInfo(
        id=row["id"],
        key=f"w-{row['public_id'].hex[:16]}",
        tenant_id=row["tenant_id"],
        tenant=row["slug"],
        name=row["name"],
        owner_id=row["owner_id"],
        shared_with=frozenset(row["shared_with"]),
        is_hidden=row["is_hidden"],
        desired_state=row["desired_state"],
        stopped_for=row["stopped_for"],
        observed_state=row["observed_state"],
        is_settled=row["is_settled"],
        address=row["address"],
        error=row["error"],
        ports=orjson.loads(row["ports"]),
        offset=row["offset"],
    )


def _port(row: asyncpg.Record) -> PortInfo:
    return PortInfo(
        public_port=row["public_port"],
        tenant_id=row["tenant_id"],
        tenant=row["slug"],
        owner_id=row["owner_id"],
        service=row["name"],
        key=f"s-{row['public_id'].hex[:16]}",
        protocol=row["protocol"],
        access=row["access"],
        dial=dial(row["address"], row["container_port"]) if row["address"] else "",
    )


async def load_workspaces(conn: Connection) -> Workspaces:
    """All workspaces that may be asked for."""
    found = [_workspace(row) for row in await conn.fetch(_WORKSPACES)]
    return Workspaces(
        {(each.tenant_id, each.name): each for each in found},
        {
            client_address(each.address, each.offset): each
            for each in found
            if each.address and each.observed_state != "absent"
        },
    )


async def load_ports(conn: Connection) -> Mapping[int, PortInfo]:
    """All ports that the edge listens on for services: none of tenants for whom they are switched off."""
    return {row["public_port"]: _port(row) for row in await conn.fetch(_PORTS)}


async def find_workspace(conn: Connection, tenant_id: int, name: str) -> WorkspaceInfo | None:
    """One workspace as of now, looked up in the wide role."""
    row = await conn.fetchrow(_WORKSPACES + " AND w.tenant_id = $1 AND w.name = $2", tenant_id, name)
    return _workspace(row) if row else None


WORKSPACES = SnapshotPart("workspaces.workspaces", frozenset({"workspaces", "tenants"}), load_workspaces)
SERVICE_PORTS = SnapshotPart("workspaces.ports", frozenset({"ports", "services", "tenants"}), load_ports)
