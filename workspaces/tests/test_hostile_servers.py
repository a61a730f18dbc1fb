"""What answers in a workspace is its user's program: whatever it says, others go on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from tenants.principal import Principal
from tests import factories
from workspaces.providers.fake import FakeProvider
from workspaces.routing.introspection import PATH
from workspaces.services import activity, introspection, probing, templates

from .test_workspaces import change, made, row, settled

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(admin: Principal, fake: FakeProvider) -> APIClient:
    templates.ensure_default_templates()
    return factories.client(admin)


@pytest.mark.parametrize(
    "body", [b'{"in_flight": ' + b"[" * 30_000, b'{"error": "\\ud800"}', b"[1]", b"\xff"]
)
def test_what_is_no_answer_is_none(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr(probing, "get", lambda *_: (200, body))
    with pytest.raises(probing.NoAnswer):
        probing.status("10.0.0.1")


def test_one_that_says_what_cannot_be_kept_stops_no_sweep(api: APIClient, fake: FakeProvider) -> None:
    rogue, idle = (settled(api, made(api, name, idle_minutes=10)) for name in ("a-rogue", "idle"))
    long_ago = timezone.now() - timedelta(minutes=11)
    change(idle, started_at=long_ago, last_active_at=long_ago)
    status: dict[str, Any] = {"repository": "failed", "error": "\ud800", "in_flight": 1}
    fake.status[row(rogue).key] = status
    activity.sweep()
    assert row(idle).desired_state == "stopped"
    assert row(rogue).repository_state == "none"


def test_guessing_keys_from_a_workspace_is_slowed_down(
    api: APIClient, client: Client, fake: FakeProvider, settings: Any
) -> None:
    """Each guess is an Argon2 verification, and what runs there is not bounded by anybody's API rate."""
    key = row(settled(api, made(api))).key
    settings.API_RATE_LIMIT = 2

    def ask(token: str) -> int:
        answer = client.post(PATH, {"token": token}, headers={introspection.ASKING: key})
        return answer.status_code

    assert [ask("mcp_abc_def") for _ in range(3)] == [200, 200, 429]
    assert ask("gha_AAAA") == 200
