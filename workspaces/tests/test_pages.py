"""Pages of workspaces and services without a browser: filters, errors at fields, what the verbs refuse."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.test import Client

from gateway.charts import draw, thinned
from gateway.db.scope import tenant_scope
from gateway.templatetags.ui import size
from tenants.principal import Principal
from tests import factories
from workspaces.models import Service, Template, Workspace, WorkspaceShare
from workspaces.pages import tools
from workspaces.providers.fake import FakeProvider
from workspaces.services import bridge, shares, templates, workspaces

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _templates(fake: FakeProvider) -> None:
    templates.ensure_default_templates()


def browser(who: Principal) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(who.user)  # type: ignore[arg-type]
    return client


def made(who: Principal, name: str = "one", **fields: Any) -> Workspace:
    with tenant_scope(who.tenant.pk):
        return workspaces.create_workspace(name, actor=who, **fields)


def shown(answer: Any) -> str:
    return str(answer.content.decode())


def test_a_workspace_by_the_form(admin: Principal) -> None:
    sent = {
        "name": "made",
        "environment": "LEVEL=debug\n\nEMPTY=",
        "git_url": "https://git.example.org/a.git",
        "git_username": "anna",
        "git_password": "pass word",
        "memory_bytes": "512",
        "cpu_millis": "0.5",
        "ports": "web=3000",
        "metadata": '{"team": {"name": "a"}}',
    }
    answer = browser(admin).post("/app/workspaces", sent)
    assert answer.status_code == 302, shown(answer)
    with tenant_scope(admin.tenant.pk):
        row = Workspace.objects.get()
        assert answer["Location"] == f"/app/workspaces/{row.public_id}"
        assert (row.memory_bytes, row.cpu_millis, row.ports) == (512 << 20, 500, {"web": 3000})
        assert row.environment == {"LEVEL": "debug", "EMPTY": ""}
        assert row.metadata == {"team": {"name": "a"}}
        page = shown(browser(admin).get(f"/app/workspaces/{row.public_id}"))
    assert "/ws/made/mcp" in page and "pass word" not in page


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "Not A Name", "lower-case letters"),
        ("environment", "no equals sign", "Line 1 is not NAME=value."),
        ("environment", "A=1\nA=2", "A is there twice."),
        ("environment", "lower=1", "capital letters"),
        ("ports", "web=http", "web is no port"),
        ("ports", "web=80", "1024 to 65535"),
        ("metadata", "[1]", "This is no JSON object."),
        ("memory_bytes", "1", "greater than or equal to 64"),
        ("git_url", "git@example.org:a.git", "begins with https://"),
        ("template", "no-such", "Select a valid choice"),
    ],
)
def test_what_is_wrong_stands_at_its_field(admin: Principal, field: str, value: str, words: str) -> None:
    answer = browser(admin).post("/app/workspaces", {"name": "made", field: value})
    page = shown(answer)
    assert answer.status_code == 422
    at = page.index(f'id="id_{field}_error"')
    assert words in page[at : at + 400].replace("&#x27;", "'"), page[at : at + 400]
    # It stands in a group that is open.
    assert (
        "open"
        in page[page.rindex("<details", 0, at) : page.index("<summary", page.rindex("<details", 0, at))]
    )


def test_limits_of_the_tenant_are_told(admin: Principal) -> None:
    from tenants.models import Quota

    with tenant_scope(admin.tenant.pk):
        Quota.objects.update(instance_memory_bytes=256 << 20, instance_cpu_millis=1500)
    client = browser(admin)
    page = shown(client.get("/app/workspaces/new"))
    assert "At most 256.0 MiB in this tenant." in page and "At most 1.5 cores in this tenant." in page
    refused = client.post("/app/workspaces", {"name": "made", "memory_bytes": "257"})
    assert "less than or equal to 256" in shown(refused)


def test_settings_change_only_what_was_changed(admin: Principal) -> None:
    row = made(admin, secrets={"TOKEN": "a", "OLD": "b"}, environment={"A": "1"})
    client = browser(admin)
    sent = {
        "memory_bytes": "1024", "cpu_millis": "1", "pids": "256", "idle_minutes": "60", "environment": "A=1",
        "secrets": "NEW=c", "forget": ["OLD"],
    }  # fmt: skip
    answer = client.post(f"/app/workspaces/{row.public_id}/settings", sent)
    assert answer.status_code == 302, shown(answer)
    page = shown(client.get(f"/app/workspaces/{row.public_id}/settings"))
    assert "TOKEN" in page and "NEW" in page and "OLD" not in page
    assert "=c" not in page


def test_filters(admin: Principal) -> None:
    made(admin, "mine")
    other = factories.member(admin.tenant, "member")
    theirs = made(other, "theirs")
    gone = made(admin, "gone")
    with tenant_scope(admin.tenant.pk):
        workspaces.delete_workspace(gone, actor=admin)
        Workspace.objects.filter(pk=theirs.pk).update(observed_state="failed")
    client = browser(admin)

    def names(query: str) -> list[str]:
        page = shown(client.get(f"/app/workspaces?{query}", headers=HTMX))
        return [name for name in ("mine", "theirs", "gone") if f"</svg>{name}</a>" in page]

    assert names("") == ["mine", "theirs"]
    assert names("whose=mine") == ["mine"]
    assert names("q=hei") == ["theirs"]
    assert names("state=failed") == ["theirs"]
    assert names("state=deleted") == ["gone"]
    assert names("state=running") == []
    assert names("after=mine,999999") == ["theirs"]


def test_states_are_asked_for_by_those_who_may(admin: Principal) -> None:
    owner, other = factories.member(admin.tenant, "member"), factories.member(admin.tenant, "member")
    row = made(owner)
    at = f"/app/workspaces/{row.public_id}/state"
    assert browser(other).post(at, {"do": "stop"}).status_code == 404
    with tenant_scope(admin.tenant.pk):
        shares.share(row, other.user.public_id, actor=owner)  # type: ignore[union-attr]
    refused = browser(other).post(at, {"do": "stop"}, headers=HTMX)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_the_owner")
    assert browser(owner).post(at, {"do": "dance"}).status_code == 404
    answer = browser(owner).post(at, {"do": "stop"}, headers=HTMX)
    assert "Stopping" in shown(answer) and "<html" not in shown(answer)
    deleted = browser(owner).post(at, {"do": "delete"}, headers=HTMX)
    assert (deleted.status_code, deleted["HX-Redirect"]) == (204, "/app/workspaces")


def test_shared_and_no_longer(admin: Principal) -> None:
    other = factories.member(admin.tenant, "member")
    row, client = made(admin), browser(admin)
    user = other.user
    assert user is not None
    answer = client.post(f"/app/workspaces/{row.public_id}/shares", {"user": str(user.public_id)})
    assert user.username in shown(answer)
    client.post(f"/app/workspaces/{row.public_id}/shares/{user.public_id}/remove")
    with tenant_scope(admin.tenant.pk):
        assert not WorkspaceShare.objects.exists()


def test_files_are_what_the_tools_say_as_text(admin: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    row = made(admin)
    with tenant_scope(admin.tenant.pk):
        Workspace.objects.update(observed_state="running", observed_generation=row.generation)
    asked: list[tuple[str, dict[str, Any]]] = []
    answers: dict[str, dict[str, Any]] = {
        "get_file_info": {"type": "file", "size": 5},
        "list_directory": {"entries": [{"name": "<b>", "type": "file", "size": "many"}, {"name": 3}, "x"]},
        "read_file_bytes": {"data": base64.b64encode(b"bytes").decode()},
    }

    def invoke(workspace: Workspace, tool: str, parameters: Any, **_: Any) -> bridge.Result:
        asked.append((tool, dict(parameters)))
        text = [{"type": "text", "text": "<script>alert(1)</script>"}, "nonsense"]
        return bridge.Result(text, answers.get(tool), False)

    monkeypatch.setattr(bridge, "invoke", invoke)
    client, at = browser(admin), f"/app/workspaces/{row.public_id}/files"
    assert "&lt;b&gt;" in shown(client.get(at))
    page = shown(client.get(at, {"path": "../../etc/passwd"}))
    assert "&lt;script&gt;" in page and "<script>alert" not in page
    assert ("read_file", {"path": "etc/passwd", "max_lines": 2000}) in asked
    answer = client.get(f"{at}/content", {"path": "a/ü.bin"})
    assert bytes(answer.getvalue()) == b"bytes"
    assert answer["Content-Disposition"] == "attachment; filename*=UTF-8''%C3%BC.bin"
    answers["get_file_info"]["size"] = tools.MOST_DOWNLOAD + 1
    assert client.get(f"{at}/content", {"path": "big"}).status_code == 413


def test_a_template_by_the_form(admin: Principal) -> None:
    sent = {
        "name": "python", "memory_bytes": "256", "cpu_millis": "1", "pids": "64", "idle_minutes": "5",
        "required_secrets": "TOKEN, OTHER", "run_command": "on", "is_default": "on",
    }  # fmt: skip
    client = browser(admin)
    assert client.post("/app/templates/new", sent).status_code == 302
    with tenant_scope(admin.tenant.pk):
        row = Template.objects.get(tenant=admin.tenant)
    assert (row.required_secrets, row.memory_bytes, row.run_command) == (["TOKEN", "OTHER"], 256 << 20, True)
    assert "python needs TOKEN, OTHER" in shown(client.get("/app/workspaces/new"))
    assert "Taken." in shown(client.post("/app/templates/new", sent))


def test_an_external_service_by_the_form(admin: Principal) -> None:
    client = browser(admin)
    refused = client.post("/app/services/new-external", {"name": "inside", "url": "http://127.0.0.1/"})
    assert refused.status_code == 422
    answer = client.post("/app/services/new-external", {"name": "weather", "url": "http://192.0.9.9/"})
    assert answer.status_code == 302, shown(answer)
    page = shown(client.get(answer["Location"]))
    assert "http://192.0.9.9/" in page and "Terminal" not in page
    with tenant_scope(admin.tenant.pk):
        assert Service.objects.get().kind == "external"


def test_a_chart() -> None:
    from datetime import UTC, datetime, timedelta

    begin = datetime(2026, 1, 1, tzinfo=UTC)
    points = [(begin + timedelta(seconds=15 * n), float(n)) for n in range(240) if not 100 < n < 120]
    chart = draw(
        "cpu", "Processor", points, begin=begin, end=begin + timedelta(hours=1), words=str, limit=250
    )
    assert chart is not None
    assert chart.path.count("M") == 2  # a gap is a gap
    assert chart.most == "239.0" and chart.scale[0] == "250" and chart.limit_y is not None
    assert len(thinned(points, 50)) <= 52 and max(thinned(points, 50), key=lambda p: p[1]) == points[-1]
    held = [(begin, 19.1 * 2**30)]
    chart = draw(
        "bytes", "Size", held, begin=begin, end=begin + timedelta(hours=1), binary=True,
        words=lambda amount: size(round(amount)),
    )  # fmt: skip
    assert chart is not None
    assert chart.scale == ["20.0 GiB", "10.0 GiB", "0 bytes"]
    assert draw("cpu", "Processor", [], begin=begin, end=begin + timedelta(hours=1), words=str) is None
