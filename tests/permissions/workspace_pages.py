"""Pages of workspaces, services and templates; `workspaces.py` and `services.py` make what they show."""

from __future__ import annotations

from .table import ADMIN, MEMBER, VIEWER, page
from .workspaces import OTHERS, READ
from .world import Maker

MAKERS: dict[str, Maker] = {}

OWN = ADMIN.but(member=200, viewer=404)
STARTING = 409  # a tool cannot be called yet
LIMITS = {"memory_bytes": "512", "cpu_millis": "1", "pids": "128", "idle_minutes": "30"}
PORT = {"name": "web", "container_port": "80", "protocol": "http", "access": "tenant"}
W, OWN_W, SHARED = (
    "/app/workspaces/{workspace}",
    "/app/workspaces/{own_workspace}",
    "/app/workspaces/{shared_workspace}",
)
S = "/app/services/{service}"
COPIED = "/app/workspaces/{copied}/snapshots/{snapshot}"

ROWS = [
    page("GET", "/app/workspaces", VIEWER),
    page("POST", "/app/workspaces", MEMBER, 302, body={"name": "new", "template": "{template}"}),
    page("GET", "/app/workspaces/new", MEMBER),
    page("GET", W, READ, case="an administrator's"),
    page("GET", OWN_W, OWN, case="a member's"),
    page("GET", SHARED, VIEWER, case="shared with the viewer"),
    page("GET", f"{W}/state", READ),
    page("POST", f"{W}/state", READ, 302, body={"do": "stop"}, case="an administrator's"),
    page("POST", f"{SHARED}/state", MEMBER, 302, body={"do": "restart"}, case="shared with the viewer"),
    page("POST", "/app/workspaces/{deleted_workspace}/state", READ, 302, body={"do": "restore"}, case="deleted"),
    page("GET", f"{W}/settings", OTHERS),
    page("POST", f"{W}/settings", OTHERS, 302, body=LIMITS | {"description": "changed"}),
    page("GET", f"{W}/shares", OTHERS),
    page("POST", f"{W}/shares", OTHERS, body={"user": "{member_id}"}),
    page("POST", f"{W}/shares/{{member_id}}/remove", OTHERS),
    page("GET", f"{W}/files", OTHERS),
    page("GET", f"{W}/files/content", OTHERS, STARTING, query={"path": "README.md"}),
    page("GET", f"{W}/logs", READ),
    page("GET", f"{W}/usage", READ),
    page("GET", f"{W}/terminal", OTHERS),
    page("GET", f"{W}/snapshots", READ),
    page("POST", f"{W}/snapshots", READ, 302, body={"name": "before"}),
    page("POST", COPIED, OTHERS, body={"do": "delete"}),
    page("GET", f"{COPIED}/content", OTHERS),
    page("GET", f"{W}/connect", READ),
    page("GET", "/app/services", VIEWER),
    page("POST", "/app/services", ADMIN, 422, body={"name": "Not A Name", "image": "image:1"}),
    page("GET", "/app/services/new", ADMIN),
    page("GET", "/app/services/new-external", ADMIN),
    page("POST", "/app/services/new-external", ADMIN, 302, body={"name": "new", "url": "http://192.0.9.9/"}),
    page("GET", S, VIEWER),
    page("GET", "/app/services/{external}", VIEWER, case="external"),
    page("GET", f"{S}/state", VIEWER),
    page("POST", f"{S}/state", ADMIN, 302, body={"do": "stop"}),
    page("GET", f"{S}/settings", ADMIN),
    page("POST", f"{S}/settings", ADMIN, 302, body=LIMITS | {"image": "image:2"}),
    page("GET", f"{S}/ports", ADMIN),
    page("POST", f"{S}/ports", ADMIN, body=PORT),
    page("POST", "/app/services/{service_with_port}/ports/{port}/remove", ADMIN),
    page("GET", f"{S}/logs", VIEWER),
    page("GET", f"{S}/usage", VIEWER),
    page("GET", f"{S}/terminal", ADMIN),
    page("GET", "/app/templates", VIEWER),
    page("GET", "/app/templates/new", ADMIN),
    page("POST", "/app/templates/new", ADMIN, 302, body=LIMITS | {"name": "new"}),
    page("GET", "/app/templates/{template}", ADMIN, case="the tenant's"),
    page("GET", "/app/templates/{shared_template}", ADMIN.but(admin=404, staff=404), case="shared by all"),
    page("POST", "/app/templates/{template}", ADMIN, 302, body=LIMITS | {"name": "renamed"}),
    page("POST", "/app/templates/{template}/delete", ADMIN),
]  # fmt: skip
