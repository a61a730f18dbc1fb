"""Workspaces, their snapshots and shares, and templates."""

from __future__ import annotations

from gateway.db.scope import platform_scope, tenant_scope
from workspaces.models import VolumeSnapshot, Workspace
from workspaces.providers import registry
from workspaces.providers.fake import FakeProvider
from workspaces.services import shares, snapshot_files, snapshots, templates, workspaces

from .table import ADMIN, MEMBER, PUBLIC, STAFF, VIEWER, api, page
from .world import World


def _provider() -> None:
    """What the rows wish comes true by jobs, which do not run here: a provider is only named."""
    if "fake" not in registry.MADE:
        registry.MADE["fake"] = FakeProvider()


def _template(world: World, *, shared: bool = False) -> object:
    _provider()
    if shared:
        return templates.create_template(
            name="row", provider="fake", shared=True, actor=world.principals["staff"]
        ).public_id
    with tenant_scope(world.home.pk):
        return templates.create_template(name="row", provider="fake", actor=world.admin).public_id


def _workspace(world: World, of: str = "admin", name: str = "row") -> Workspace:
    if name == "row":
        _template(world)
    with tenant_scope(world.home.pk):
        return workspaces.create_workspace(name, template="row", actor=world.principals[of])


def _deleted(world: World) -> object:
    made = _workspace(world)
    with tenant_scope(world.home.pk):
        return workspaces.delete_workspace(made, actor=world.admin).public_id


def _shared(world: World) -> object:
    """One that is the member's and shared with the viewer."""
    made = _workspace(world, "member")
    viewer = world.principals["viewer"].user
    assert viewer is not None
    with tenant_scope(world.home.pk):
        shares.share(made, viewer.public_id, actor=world.principals["member"])
    return made.public_id


def _copied(world: World) -> object:
    """One with a snapshot that is ready."""
    made = _workspace(world)
    with tenant_scope(world.home.pk):
        snapshot = snapshots.create_snapshot(made, "row", actor=world.admin)
        VolumeSnapshot.objects.filter(pk=snapshot.pk).update(state="ready")
    path = snapshot_files.file_of(snapshot)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return made.public_id


def _snapshot(world: World) -> object:
    """That of `_copied`."""
    with tenant_scope(world.home.pk):
        return VolumeSnapshot.objects.get().public_id


def _member_id(world: World) -> str:
    with platform_scope("tests"):
        user = world.principals["member"].user
    assert user is not None
    return str(user.public_id)


def _stopped(world: World) -> object:
    made = _workspace(world)
    with tenant_scope(world.home.pk):
        return workspaces.stop_workspace(made, actor=world.admin).public_id


MAKERS = {
    "stopped_workspace": _stopped,
    "workspace": lambda world: _workspace(world).public_id,
    "own_workspace": lambda world: _workspace(world, "member").public_id,
    "shared_workspace": _shared,
    "deleted_workspace": _deleted,
    "copied": _copied,
    "snapshot": _snapshot,
    "template": _template,
    "template_name": lambda world: _template(world) and "row",
    "shared_template": lambda world: _template(world, shared=True),
    "member_id": _member_id,
}

# An administrator's workspace is not within a member's reach.
OTHERS = ADMIN.but(member=404, viewer=403)
READ = ADMIN.but(member=404, viewer=404)
NEW = {"name": "new", "template": "{template_name}", "metadata": {"team": "a"}}
IMPORTED = {"name": "new", "bucket": "{filled}", "key": "key"}
OBJECT = {"bucket": "{bucket_name}", "key": "copy"}

CALL = {"workspace_id": "{stopped_workspace}", "tool": "git_status", "parameters": {}}

ROWS = [
    api("GET", "workspaces", VIEWER),
    api("POST", "workspaces", MEMBER, 202, body=NEW),
    api("GET", "workspaces/{workspace}", READ, case="an administrator's"),
    api("GET", "workspaces/{own_workspace}", ADMIN.but(member=200, viewer=404), case="a member's"),
    api("GET", "workspaces/{shared_workspace}", VIEWER, case="shared with the viewer"),
    api("PATCH", "workspaces/{workspace}", OTHERS, 202, body={"description": "changed"}, case="an administrator's"),
    api("PATCH", "workspaces/{own_workspace}", MEMBER, 202, body={"description": "changed"}, case="a member's"),
    api("DELETE", "workspaces/{workspace}", OTHERS, case="an administrator's"),
    api("DELETE", "workspaces/{own_workspace}", MEMBER, case="a member's"),
    api("POST", "workspaces/{own_workspace}/start", MEMBER, 202, case="a member's"),
    api("POST", "workspaces/{own_workspace}/stop", MEMBER, 202, case="a member's"),
    api("POST", "workspaces/{own_workspace}/restart", MEMBER, 202, case="a member's"),
    api("POST", "workspaces/{own_workspace}/wake", MEMBER, 202, case="a member's"),
    api("POST", "workspaces/{deleted_workspace}/restore", OTHERS, 202, case="an administrator's"),
    api("POST", "workspaces/{deleted_workspace}/purge", OTHERS, 202, case="an administrator's"),
    api("GET", "workspaces/{workspace}/shares", READ, case="an administrator's"),
    api("POST", "workspaces/{workspace}/shares", OTHERS, body={"user": "{member_id}"}, case="an administrator's"),
    api("DELETE", "workspaces/{workspace}/shares/{member_id}", OTHERS, case="an administrator's"),
    api("GET", "workspaces/{workspace}/logs", READ, case="an administrator's"),
    api("GET", "workspaces/{workspace}/stats", READ, case="an administrator's"),
    api("GET", "workspaces/{workspace}/snapshots", READ, case="an administrator's"),
    api("POST", "workspaces/{workspace}/snapshots", OTHERS, 202, body={"name": "new"}, case="an administrator's"),
    api("POST", "workspaces/{workspace}/snapshots/import", OTHERS, 202, body=IMPORTED, case="an administrator's"),
    api("GET", "workspaces/{copied}/snapshots/{snapshot}", READ, case="a snapshot"),
    api("DELETE", "workspaces/{copied}/snapshots/{snapshot}", OTHERS, case="a snapshot"),
    api("POST", "workspaces/{copied}/snapshots/{snapshot}/restore", OTHERS, 202, case="a snapshot"),
    api("POST", "workspaces/{copied}/snapshots/{snapshot}/export", OTHERS, 202, body=OBJECT, case="a snapshot"),
    api("GET", "workspaces/{copied}/snapshots/{snapshot}/content", OTHERS, case="a snapshot"),
    api("GET", "workspaces/{workspace}/mcp.json", READ, case="an administrator's"),
    # One that a person stopped: who may call it is told so.
    api("GET", "mcp/tools", OTHERS, 409, query={"workspace_id": "{stopped_workspace}"}, case="a stopped one's"),
    api("POST", "mcp/invoke", OTHERS, 409, body=CALL, case="a stopped one's"),
    page("POST", "/internal/auth/introspect", PUBLIC, 404, json={"token": "any"}, case="from elsewhere"),
    api("GET", "templates", VIEWER),
    api("GET", "templates/providers", VIEWER),
    api("POST", "templates", ADMIN, body={"name": "new"}),
    api("POST", "templates", STAFF, body={"name": "new", "shared": True}, case="shared"),
    api("GET", "templates/{template}", VIEWER),
    api("PATCH", "templates/{template}", ADMIN, body={"name": "renamed"}),
    api("PATCH", "templates/{shared_template}", STAFF, body={"name": "renamed"}, case="shared"),
    api("DELETE", "templates/{template}", ADMIN),
    api("DELETE", "templates/{shared_template}", STAFF, case="shared"),
]  # fmt: skip
