"""People: made, given a role, deactivated."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.validation import validated
from realtime import services as realtime
from tenants.models import Membership, Role, Tenant, User
from tenants.permissions import role_permissions
from tenants.principal import Principal

from . import audit, quotas, snapshot


def create_user(
    tenant: Tenant, username: str, *, email: str = "", password: str | None, role: str, actor: Principal | None,
    is_staff: bool = False,
) -> Membership:  # fmt: skip
    """A new person as a member of `tenant`. `actor` is None at first start only.

    Raises Forbidden (also for a role that holds more than the actor does), Invalid (fields, password rules, unknown
    role), Conflict where the username is taken anywhere, QuotaExceeded.
    """
    if actor is not None:
        actor.require("user.write")
    user = User(username=username, email=email, is_staff=is_staff, is_superuser=is_staff)
    validated(user, exclude=("password",))
    if password is not None:
        try:
            validate_password(password, user)
        except ValidationError as e:
            raise Invalid(f"password: {e.messages[0]}", errors={"password": e.messages}) from None
    user.set_password(password)
    with platform_scope("accounts are known platform-wide"), transaction.atomic():
        grant = _role(tenant, role, actor)
        quotas.check(tenant.pk, "users", Membership.objects.filter(tenant=tenant, is_active=True))
        try:
            with transaction.atomic():
                user.save()
        except IntegrityError:
            raise Conflict(f"The username {username} is taken.", errors={"username": ["Taken."]}) from None
        membership = Membership.objects.create(tenant=tenant, user=user, role=grant, is_default=True)
        if actor is not None:
            after = {"username": username, "email": email, "role": role}
            audit.record(actor, "tenants.user.create", target=username, tenant=tenant, after=after)
        snapshot.changed("members")
        realtime.publish(
            tenant.pk, "tenants.user.created", subject=username, data={"id": str(user.public_id), "role": role},
            actor=actor,
        )  # fmt: skip
    return membership


def _role(tenant: Tenant, slug: str, actor: Principal | None) -> Role:
    role: Role | None = Role.objects.filter(tenant=tenant, slug=slug).first()
    if role is None:
        raise Invalid(f"No role {slug} here.", errors={"role": ["Unknown role."]})
    if slug == "owner" and actor is not None and actor.role not in ("owner", "staff", "system"):
        raise Forbidden("Only an owner makes owners.", code="permission_missing")
    # Or a narrowed key, or a role that may only add users, would give itself the rest by way of another account.
    if actor is not None and (beyond := sorted(role_permissions(role) - actor.permissions)):
        raise Forbidden(
            f"The role {slug} holds {beyond[0]}, which is not yours to give.", code="permission_missing"
        )
    return role


def get_membership(public_id: Any, *, actor: Principal) -> Membership:
    """The caller's tenant's member with that user id. Raises NotFound."""
    members = Membership.objects.visible_to(actor).select_related("user", "role", "tenant")
    membership: Membership | None = members.filter(user__public_id=public_id).first()
    if membership is None:
        raise NotFound("No such user.")
    return membership


def assign_role(membership: Membership, role: str, *, actor: Principal) -> Membership:
    """Give a member another role. Asking again changes nothing.

    Raises Forbidden where an owner's role is touched by anyone but an owner, and for a role that holds more than the
    actor does; Conflict for the last owner.
    """
    actor.require("user.write")
    with tenant_scope(membership.tenant_id), transaction.atomic():
        membership = _locked(membership)
        if membership.role.slug == role:
            return membership
        _may_touch(membership, actor)
        before = membership.role.slug
        membership.role = _role(membership.tenant, role, actor)
        membership.save(update_fields=["role"])
        name = membership.user.username
        audit.record(
            actor, "tenants.user.update", target=name, tenant=membership.tenant, before={"role": before},
            after={"role": role},
        )  # fmt: skip
        snapshot.changed("members")
        realtime.publish(
            membership.tenant_id, "tenants.user.updated", subject=name, data={"role": role}, actor=actor
        )
    return membership


def deactivate_user(membership: Membership, *, actor: Principal) -> None:
    """End a member's access to the tenant, and the account with the last membership. Asking again changes nothing.

    Every credential is checked against the membership on use, so keys, tokens and sessions end with it.
    Raises Conflict for oneself and for the last owner.
    """
    actor.require("user.write")
    if actor.user is not None and actor.user.pk == membership.user_id:
        raise Conflict("You cannot deactivate yourself.")
    _set_active(membership, False, actor)


def reactivate_user(membership: Membership, *, actor: Principal) -> None:
    """Bring back a member, with the keys that were not revoked. Asking again changes nothing."""
    actor.require("user.write")
    _set_active(membership, True, actor)


def _set_active(membership: Membership, active: bool, actor: Principal) -> None:
    with platform_scope("the account ends with its last membership"), transaction.atomic():
        membership = _locked(membership)
        if membership.is_active == active:
            return
        _may_touch(membership, actor)
        if active:
            members = Membership.objects.filter(tenant=membership.tenant, is_active=True)
            quotas.check(membership.tenant_id, "users", members)
        membership.is_active = active
        membership.save(update_fields=["is_active"])
        user = User.objects.select_for_update().get(pk=membership.user_id)
        user.is_active = user.is_staff or Membership.objects.filter(user=user, is_active=True).exists()
        user.save(update_fields=["is_active"])
        verb = "reactivate" if active else "deactivate"
        audit.record(actor, f"tenants.user.{verb}", target=user.username, tenant=membership.tenant)
        snapshot.changed("members")
        realtime.publish(membership.tenant_id, f"tenants.user.{verb}d", subject=user.username, actor=actor)


def _locked(membership: Membership) -> Membership:
    rows = Membership.objects.select_related("user", "role", "tenant")
    locked: Membership = rows.select_for_update(of=("self",)).get(pk=membership.pk)
    return locked


def _may_touch(membership: Membership, actor: Principal) -> None:
    if membership.role.slug != "owner" or not membership.is_active:
        return
    if actor.role not in ("owner", "staff", "system"):
        raise Forbidden("Only an owner changes an owner.", code="permission_missing")
    owners = Membership.objects.filter(tenant=membership.tenant, role__slug="owner", is_active=True)
    if not owners.exclude(pk=membership.pk).exists():
        raise Conflict("This is the tenant's last owner.")
