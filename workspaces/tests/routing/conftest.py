"""Workspaces as rows and servers of ours where providers would run them, behind the real edge."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.db import transaction

from gateway.db.scope import platform_scope, tenant_scope
from tenants.models import Tenant
from tenants.principal import Principal
from tenants.services import api_keys, snapshot
from tests import factories
from tests.revocation.doors import Web
from tests.stack import Stack
from workspaces.models import Port, Service, Workspace, WorkspaceShare
from workspaces.services import instances

from .inside import Inside

PORTS = {"app": 3000}


class Platform:
    """Verbs of the tests, on the stack's database."""

    def __init__(self, stack: Stack, inside: Inside) -> None:
        self.stack, self.inside = stack, inside
        self.http = httpx.Client(base_url=stack.url, trust_env=False, timeout=30)
        self.web = Web(stack, "web")

    def tenant(self) -> Tenant:
        with self.stack.database():
            return factories.tenant(f"w{uuid4().hex[:12]}")

    def member(self, of: Tenant, role: str = "member") -> Principal:
        with self.stack.database():
            return factories.member(of, role)

    def key(self, who: Principal, **fields: Any) -> str:
        with self.stack.database(), tenant_scope(who.tenant.pk):
            return api_keys.issue_key("tests", actor=who, **fields)[1]

    def token(self, who: Principal) -> str:
        """The Authorization header of a JWT."""
        return f"Bearer {self.web.tokens(who.label)['access']}"

    def workspace(self, owner: Principal, name: str = "dev", **fields: Any) -> Workspace:
        """One that runs, unless the fields say otherwise."""
        given: dict[str, Any] = {
            "observed_state": "running", "observed_generation": 1, "address": self.inside.address, "ports": PORTS,
        }  # fmt: skip
        with self.stack.database(), tenant_scope(owner.tenant.pk), transaction.atomic():
            number = instances.take_offset()
            row = Workspace.objects.create(
                tenant=owner.tenant, owner=owner.user, name=name, offset=number, **(given | fields)
            )
            snapshot.changed("workspaces")
        return row

    def service(self, owner: Principal, *, dial_port: int, **fields: Any) -> Port:
        """A service that listens on this machine's `dial_port`, with a port of the platform's."""
        with self.stack.database(), tenant_scope(owner.tenant.pk), transaction.atomic():
            service = Service.objects.create(
                tenant=owner.tenant, owner=owner.user, name=f"s{uuid4().hex[:8]}", image="i",
                offset=instances.take_offset(), observed_state="running", observed_generation=1, address="127.0.0.1",
            )  # fmt: skip
            port = Port.objects.create(
                tenant=owner.tenant, service=service, name="main", container_port=dial_port, **fields
            )
            snapshot.changed("ports")
        return port

    def change(self, row: Workspace | Port, **fields: Any) -> None:
        with self.stack.database(), platform_scope("tests"), transaction.atomic():
            type(row).objects.filter(pk=row.pk).update(**fields)
            snapshot.changed("workspaces" if isinstance(row, Workspace) else "ports")

    def share(self, row: Workspace, who: Principal) -> None:
        assert who.user is not None
        with self.stack.database(), tenant_scope(who.tenant.pk), transaction.atomic():
            WorkspaceShare.objects.create(tenant=who.tenant, workspace=row, user=who.user)
            snapshot.changed("workspaces")


@pytest.fixture(scope="session")
def inside() -> Iterator[Inside]:
    with tempfile.TemporaryDirectory(prefix="gh") as folder:
        made = Inside(Path(folder), 8080, 3000)
        yield made
        made.stop()


@pytest.fixture(scope="session")
def platform(stack: Stack, inside: Inside) -> Iterator[Platform]:
    made = Platform(stack, inside)
    yield made
    made.http.close()
    made.web.http.close()


@pytest.fixture
def owner(platform: Platform) -> Principal:
    """A member of a new tenant, whose workspace `dev` runs."""
    who = platform.member(platform.tenant())
    platform.workspace(who)
    return who


@pytest.fixture
def bearer(platform: Platform, owner: Principal) -> dict[str, str]:
    return {"Authorization": f"Bearer {platform.key(owner)}"}
