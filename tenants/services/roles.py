"""A tenant's own roles: made of named permissions, each may extend another role of the tenant.

What a role holds is what it names and all that the role it extends holds. Every verb writes the sum into `base` and
`granted` of the role and of all that extend it, in its own transaction; `members` is announced, since whoever has such
a role holds something else from then on.
"""

from __future__ import annotations

from typing import Any, Literal

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from gateway.db.scope import tenant_scope
from gateway.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from gateway.validation import validated
from realtime import services as realtime
from tenants.models import Invitation, Membership, Role, Tenant
from tenants.permissions import PERMISSIONS, RESERVED_ROLES, role_permissions
from tenants.principal import Principal

from . import audit, quotas, snapshot

MOST_ROLES = 200
MOST_DEPTH = 8
Unset = Literal["unset"]


def get_role(public_id: Any, *, actor: Principal) -> Role:
    """A role of the tenant acted in. Raises NotFound."""
    role: Role | None = (
        Role.objects.visible_to(actor).select_related("extends").filter(public_id=public_id).first()
    )
    if role is None:
        raise NotFound("No such role.")
    return role


def create_role(
    tenant: Tenant, name: str, *, slug: str = "", permissions: list[str], extends: str | None = None, actor: Principal
) -> Role:  # fmt: skip
    """A role of the tenant's own; without a slug, one made of the name. `extends` is the slug of another role.

    Raises Forbidden (also for what the actor does not hold), Invalid (fields, unknown permission or role, a chain that
    is too deep), Conflict where the slug is taken, QuotaExceeded beyond MOST_ROLES.
    """
    actor.require("role.write")
    role = Role(
        tenant=tenant, name=name, slug=slug or slugify(name)[:63].strip("-"), permissions=_known(permissions)
    )
    validated(role, exclude=("tenant", "extends"))
    if role.slug in RESERVED_ROLES:
        raise Conflict(f"{role.slug} is the platform's own.", errors={"slug": ["Taken."]})
    with tenant_scope(tenant.pk), transaction.atomic():
        others = _locked(tenant)
        if len(others) >= MOST_ROLES:
            raise QuotaExceeded(f"A tenant has at most {MOST_ROLES} roles.")
        role.extends = _parent(extends, others)
        _sum_up(role)
        _check_holds(role, actor)
        try:
            with transaction.atomic():
                role.save()
        except IntegrityError:
            raise Conflict(f"A role {role.slug} exists already.", errors={"slug": ["Taken."]}) from None
        _tell(role, "create", actor, after=_shown(role))
    return role


def update_role(
    role: Role, *, name: str | None = None, permissions: list[str] | None = None, extends: str | Unset | None = "unset",
    actor: Principal,
) -> Role:  # fmt: skip
    """Rename, give other permissions, or let it extend another role (None: none). Asking again changes nothing.

    Raises Forbidden, also where the role holds, before or after, what the actor does not; Invalid, code `role_cycle`
    for a role that would extend itself by way of others; Conflict for a built-in role.
    """
    actor.require("role.write")
    with tenant_scope(role.tenant_id), transaction.atomic():
        others = _locked(role.tenant)
        role = _own(role, others)
        before = _shown(role)
        _check_holds(role, actor)
        if name is not None:
            role.name = name
        if permissions is not None:
            role.permissions = _known(permissions)
        if extends != "unset":
            role.extends = _parent(extends, others)
        validated(role, exclude=("tenant", "extends"))
        _check_chain(role, others)
        after = _shown(role)
        if after == before:
            return role
        for changed in _with_heirs(role, others):
            _sum_up(changed)
            changed.save()
        _check_holds(role, actor)
        _tell(role, "update", actor, before=before, after=after)
    return role


def delete_role(role: Role, *, actor: Principal) -> None:
    """Remove a role that nothing needs. Raises Conflict for one that is built in, given, offered or extended."""
    actor.require("role.write")
    with tenant_scope(role.tenant_id), transaction.atomic():
        others = _locked(role.tenant)
        role = _own(role, others)
        _check_holds(role, actor)
        holders = Membership.objects.filter(role=role).count()
        offered = Invitation.objects.filter(role=role, accepted_at=None, revoked_at=None).count()
        heirs = sorted(other.slug for other in others.values() if other.extends_id == role.pk)
        if holders or offered or heirs:
            uses = [
                f"{holders} member{'s have' if holders > 1 else ' has'} it" if holders else "",
                f"{offered} invitation{'s offer' if offered > 1 else ' offers'} it" if offered else "",
                f"{', '.join(heirs)} extend{'' if len(heirs) > 1 else 's'} it" if heirs else "",
            ]
            raise Conflict(f"{role.slug} is in use: {'; '.join(filter(None, uses))}.", code="role_in_use")
        before = _shown(role)
        role.delete()
        _tell(role, "delete", actor, before=before)


def _locked(tenant: Tenant) -> dict[str, Role]:
    """The tenant's roles by slug, while nobody else changes any. Call within the transaction."""
    quotas.lock(tenant.pk)
    roles = {role.pk: role for role in Role.objects.filter(tenant=tenant)}
    for role in roles.values():  # one object per row, so that what changes in a parent is seen in its heirs
        role.extends = roles.get(role.extends_id)
    return {role.slug: role for role in roles.values()}


def _own(role: Role, others: dict[str, Role]) -> Role:
    found = others.get(role.slug)
    if found is None:
        raise NotFound("No such role.")
    if found.is_builtin:
        raise Conflict("Built-in roles stay as they are.", code="role_builtin")
    return found


def _known(permissions: list[str]) -> list[str]:
    if unknown := sorted(set(permissions) - PERMISSIONS.keys()):
        raise Invalid(f"Unknown permission {unknown[0]}.", errors={"permissions": [f"Unknown: {unknown[0]}"]})
    return sorted(set(permissions))


def _parent(slug: str | None, others: dict[str, Role]) -> Role | None:
    if not slug:
        return None
    if slug not in others:
        raise Invalid(f"No role {slug} here.", errors={"extends": ["Unknown role."]})
    parent = others[slug]
    if len(_chain(parent)) >= MOST_DEPTH:
        raise _too_deep()
    return parent


def _chain(role: Role) -> list[Role]:
    """The role, the one it extends, and so on; ends before it comes round."""
    found: list[Role] = []
    at: Role | None = role
    while at is not None and at not in found:
        found.append(at)
        at = at.extends
    return found


def _check_chain(role: Role, others: dict[str, Role]) -> None:
    """Raises Invalid for a cycle, or a chain that is too deep for the role or for one that extends it."""
    chain = _chain(role)
    if chain[-1].extends is not None:
        way = " → ".join(other.slug for other in (*chain, chain[-1].extends))
        raise Invalid(
            f"{role.slug} would extend itself: {way}.",
            code="role_cycle",
            errors={"extends": [f"A cycle: {way}."]},
        )
    if any(len(_chain(heir)) > MOST_DEPTH for heir in _with_heirs(role, others)):
        raise _too_deep()


def _too_deep() -> Invalid:
    text = f"Roles extend each other at most {MOST_DEPTH - 1} times over."
    return Invalid(text, code="role_too_deep", errors={"extends": [text]})


def _with_heirs(role: Role, others: dict[str, Role]) -> list[Role]:
    """The role and all that extend it, nearest first."""
    found = [role]
    for at in found:
        found += [other for other in others.values() if other.extends_id == at.pk and other not in found]
    return found


def _sum_up(role: Role) -> None:
    chain = _chain(role)
    role.base = chain[-1].slug if chain[-1].is_builtin else ""
    role.granted = sorted({name for part in chain if not part.is_builtin for name in part.permissions})


def _check_holds(role: Role, actor: Principal) -> None:
    if beyond := sorted(role_permissions(role) - actor.permissions):
        raise Forbidden(
            f"The role {role.slug} holds {beyond[0]}, which is not yours to give.",
            code="permission_missing",
            errors={"permissions": [f"Not yours to give: {beyond[0]}"]},
        )


def _shown(role: Role) -> dict[str, Any]:
    return {
        "name": role.name,
        "permissions": list(role.permissions),
        "extends": role.extends.slug if role.extends else None,
    }


def _tell(role: Role, verb: str, actor: Principal, **change: Any) -> None:
    audit.record(actor, f"tenants.role.{verb}", target=role.slug, tenant=role.tenant, **change)
    snapshot.changed("members")
    realtime.publish(
        role.tenant_id, f"tenants.role.{verb}d", subject=role.slug, data={"name": role.name}, actor=actor
    )
