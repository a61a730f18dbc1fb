"""Tenants, their domains, settings and usage, and the audit log."""

from __future__ import annotations

from gateway.db.scope import tenant_scope
from tenants.models import AuditEntry
from tenants.services import deletion, domains
from tests import factories

from .table import ADMIN, STAFF, VIEWER, api, page
from .world import Maker, World


def _deleted(world: World) -> object:
    gone = factories.tenant("gone")
    deletion.delete_tenant(gone, actor=world.principals["staff"])
    return gone.public_id


def _domain(world: World) -> object:
    return domains.add_domain(world.home, "home.example.org", actor=world.admin).public_id


def _entry(world: World) -> object:
    with tenant_scope(world.home.pk):
        return AuditEntry.objects.filter(tenant=world.home).latest("pk").public_id


MAKERS: dict[str, Maker] = {
    "tenant": lambda world: world.home.public_id,
    "deleted": _deleted,
    "domain": _domain,
    "entry": _entry,
}

ROWS = [
    api("GET", "tenants", VIEWER),
    api("POST", "tenants", STAFF, body={"name": "New", "slug": "new"}),
    api("POST", "tenants/import", STAFF, 200, {"tenants": [{"name": "New", "slug": "new"}]}),
    api("GET", "tenants/export.csv", STAFF),
    api("GET", "tenants/export.json", STAFF),
    api("GET", "tenants/{tenant}", VIEWER),
    api("PATCH", "tenants/{tenant}", ADMIN, body={"name": "Renamed"}),
    api("PATCH", "tenants/{tenant}", STAFF, body={"status": "suspended"}, case="status"),
    api("PATCH", "tenants/{tenant}", STAFF, body={"limits": {"users": 10}}, case="limits"),
    api("DELETE", "tenants/{tenant}", STAFF, 200),
    api("POST", "tenants/{deleted}/restore", STAFF, 200),
    api("POST", "tenants/{deleted}/purge", STAFF, 202, {"slug": "gone"}),
    api("GET", "tenants/{tenant}/settings", VIEWER),
    api("PATCH", "tenants/{tenant}/settings", ADMIN, body={"audit_retention_days": 400}),
    api("PATCH", "tenants/{tenant}/settings", STAFF, body={"api_rate": 100}, case="rates"),
    api("GET", "tenants/{tenant}/usage", VIEWER),
    api("POST", "tenants/{tenant}/usage/recount", STAFF, 200),
    api("GET", "tenants/{tenant}/domains", VIEWER),
    api("POST", "tenants/{tenant}/domains", ADMIN, body={"hostname": "new.example.org"}),
    api("GET", "tenants/{tenant}/domains/{domain}", VIEWER),
    api("DELETE", "tenants/{tenant}/domains/{domain}", ADMIN),
    api("POST", "tenants/{tenant}/domains/{domain}/verify", ADMIN, 202, {}),
    api("POST", "tenants/{tenant}/domains/{domain}/verify", STAFF, 200, {"vouch": True}, case="vouched for"),
    api("GET", "audit", ADMIN),
    api("GET", "audit/export", ADMIN),
    api("GET", "audit/seals", ADMIN),
    api("POST", "audit/verify", ADMIN, 200),
    page("GET", "/app/audit", ADMIN),
    page("GET", "/app/audit/export", ADMIN),
    page("POST", "/app/audit/verify", ADMIN),
    page("GET", "/app/audit/{entry}", ADMIN),
    page("GET", "/app/tenant/settings", VIEWER),
    page("POST", "/app/tenant/settings", ADMIN, 302, {"name": "Renamed"}),
    page("GET", "/app/limits", VIEWER),
    page("GET", "/app/domains", VIEWER),
    page("POST", "/app/domains", ADMIN, body={"hostname": "new.example.org"}),
    page("GET", "/app/domains/new", ADMIN),
    page("GET", "/app/domains/{domain}", VIEWER),
    page("POST", "/app/domains/{domain}/verify", ADMIN),
    page("POST", "/app/domains/{domain}/remove", ADMIN),
]
