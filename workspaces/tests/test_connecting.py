"""What each MCP client is told of a workspace."""

from __future__ import annotations

import json

import pytest
from django.test import override_settings

from gateway.db.scope import tenant_scope
from tenants.principal import Principal
from tests import factories
from workspaces.models import Workspace
from workspaces.services import connecting, instances

pytestmark = pytest.mark.django_db
URL = "https://hub.example.org/ws/dev/mcp"


@pytest.fixture
def who() -> Principal:
    return factories.member(factories.tenant())


@pytest.fixture
def row(who: Principal) -> Workspace:
    with tenant_scope(who.tenant.pk):
        return Workspace.objects.create(
            tenant=who.tenant, owner=who.user, name="dev", offset=instances.take_offset()
        )


@override_settings(PUBLIC_BASE_URL="https://hub.example.org")
def test_vs_codes_file_is_the_answer_itself(who: Principal, row: Workspace) -> None:
    answer = factories.client(who).get(f"/api/v1/workspaces/{row.public_id}/mcp.json")
    said = answer.json()
    assert said["servers"] == {
        "dev": {"type": "http", "url": URL, "headers": {"Authorization": "Bearer ${input:mcp_token}"}}
    }
    (asked,) = said["inputs"]
    assert (asked["type"], asked["id"], asked["password"]) == ("promptString", "mcp_token", True)
    assert said.keys() == {"servers", "inputs"}


@override_settings(PUBLIC_BASE_URL="https://hub.example.org")
def test_each_clients_form(who: Principal, row: Workspace) -> None:
    def form(client: str) -> object:
        path = f"/api/v1/workspaces/{row.public_id}/mcp.json"
        return factories.client(who).get(path, {"client": client}).json()["mcpServers"]["dev"]

    bearer = "Bearer ${GATEHOUSE_API_KEY}"
    assert form("claude-code") == {"type": "http", "url": URL, "headers": {"Authorization": bearer}}
    assert form("cursor") == {"url": URL, "headers": {"Authorization": "Bearer ${env:GATEHOUSE_API_KEY}"}}
    assert form("claude-desktop") == {
        "command": "npx",
        "args": ["-y", "mcp-remote", URL, "--header", "Authorization:${AUTH_HEADER}"],
        "env": {"AUTH_HEADER": "Bearer <API key>"},
    }
    assert form("generic") == {
        "type": "streamable-http", "url": URL, "headers": {"Authorization": "Bearer <API key>"},
    }  # fmt: skip


def test_an_unknown_client_is_refused_by_name(who: Principal, row: Workspace) -> None:
    path = f"/api/v1/workspaces/{row.public_id}/mcp.json"
    answer = factories.client(who).get(path, {"client": "emacs"})
    assert answer.status_code == 400
    assert "client" in answer.json()["errors"]


@override_settings(PUBLIC_BASE_URL="http://hub.example.org")
def test_guides_for_people(row: Workspace) -> None:
    guides = {guide.client.id: guide for guide in connecting.guides(row)}
    assert list(guides) == list(connecting.CLIENTS)
    for guide in guides.values():
        assert "hub.example.org/ws/dev/mcp" in guide.snippet
        assert guide.client.steps
        json.loads(guide.snippet)
    assert "--allow-http" in guides["claude-desktop"].snippet
    assert guides["claude-code"].command.startswith("claude mcp add --transport http dev http://hub")
