"""Service accounts: users of a tenant that nobody signs in as, with a role, holding API keys that members make.

One counts against the tenant's limit of users, its keys against that of API keys.
"""

from __future__ import annotations

import re
from typing import Any

from django.db import transaction

from gateway.db.scope import platform_scope
from gateway.errors import Conflict, Invalid, NotFound
from tenants.models import SLUG_FORM, Membership, User
from tenants.principal import Principal

from . import accounts, audit, quotas, snapshot, telling, users


def create(name: str, role: str, *, actor: Principal) -> Membership:
    """A service account `<name>@<tenant>` in the caller's tenant.

    Raises Forbidden (also for a role that holds more than the actor does), Invalid by field, Conflict where the name
    is taken, QuotaExceeded.
    """
    actor.require("service_account.write")
    if not re.fullmatch(SLUG_FORM, name):
        text = "Lower-case letters, digits and hyphens, at most 63."
        raise Invalid(f"name: {text}", errors={"name": [text]})
    _check_role(role)
    tenant = actor.tenant
    user = accounts.new(f"{name}@{tenant.slug}", "", name, None)
    user.kind = User.Kind.SERVICE
    with platform_scope("accounts are known platform-wide"), transaction.atomic():
        try:
            membership = users.enter(tenant, user, role, actor)
        except Conflict:
            raise Conflict(f"There is a service account {name}.", errors={"name": ["Taken."]}) from None
        audit.record(
            actor, "tenants.service_account.create", target=user.username, after={"name": name, "role": role}
        )
        _tell(membership, "created", actor)
    return membership


def get(public_id: Any, *, actor: Principal) -> Membership:
    """The caller's tenant's service account of that id. Raises NotFound."""
    found: Membership | None = visible(actor).filter(user__public_id=public_id).first()
    if found is None:
        raise NotFound("No such service account.")
    return found


def visible(actor: Principal) -> Any:
    rows = Membership.objects.visible_to(actor).select_related("user", "role", "tenant")
    return rows.filter(user__kind=User.Kind.SERVICE)


def update(membership: Membership, changes: dict[str, Any], *, actor: Principal) -> Membership:
    """Change `role` and `is_active`. Its keys are refused while it is deactivated. Again changes nothing.

    Raises Forbidden, Invalid, QuotaExceeded.
    """
    actor.require("service_account.write")
    with (
        platform_scope("an account ends with its membership"),
        transaction.atomic(),
        telling.together(),
    ):
        rows = Membership.objects.select_related("user", "role", "tenant").select_for_update(of=("self",))
        membership = rows.get(pk=membership.pk)
        quotas.lock(membership.tenant_id)
        if "role" in changes and changes["role"] != membership.role.slug:
            _assign(membership, changes["role"], actor)
        if "is_active" in changes and changes["is_active"] != membership.is_active:
            _set_active(membership, changes["is_active"], actor)
    return membership


def _assign(membership: Membership, role: str, actor: Principal) -> None:
    _check_role(role)
    before = membership.role.slug
    membership.role = users.role_for(membership.tenant, role, actor)
    membership.save(update_fields=["role"])
    audit.record(
        actor,
        "tenants.service_account.update",
        target=membership.user.username,
        tenant=membership.tenant,
        before={"role": before},
        after={"role": role},
    )
    _tell(membership, "updated", actor)


def _set_active(membership: Membership, active: bool, actor: Principal) -> None:
    from workspaces.services import standing  # workspaces build on tenants

    if active:
        members = Membership.objects.filter(tenant=membership.tenant, is_active=True)
        quotas.check(membership.tenant_id, "users", members)
        users.role_for(membership.tenant, membership.role.slug, actor)
    membership.is_active = membership.user.is_active = active
    membership.save(update_fields=["is_active"])
    membership.user.save(update_fields=["is_active"])
    standing.follow_member(membership.tenant_id, membership.user_id, is_active=active)
    verb = "reactivate" if active else "deactivate"
    audit.record(
        actor, f"tenants.service_account.{verb}", target=membership.user.username, tenant=membership.tenant
    )
    _tell(membership, f"{verb}d", actor)


def _check_role(role: str) -> None:
    if role == "owner":
        text = "A service account owns no tenant."
        raise Invalid(f"role: {text}", errors={"role": [text]})


def _tell(membership: Membership, participle: str, actor: Principal) -> None:
    snapshot.changed("members")
    data: dict[str, object] = {"id": str(membership.user.public_id), "role": membership.role.slug}
    kind = f"tenants.service_account.{participle}"
    telling.tell(membership.tenant_id, kind, subject=membership.user.username, data=data, actor=actor)
