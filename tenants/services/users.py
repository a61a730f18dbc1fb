"""People in a tenant: made, added, changed, given a role, deactivated, removed.

Locks are taken in this order: memberships, the tenant's limits, accounts, the event log.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.validation import validated
from tenants.models import ApiKey, Membership, Role, SignIn, Tenant, User
from tenants.permissions import role_permissions
from tenants.principal import Principal

from . import accounts, audit, quotas, sign_ins, snapshot, telling

_OWNERS = ("owner", "staff", "system")


def create_user(
    tenant: Tenant, username: str, *, email: str = "", name: str = "", password: str | None, role: str,
    nexusgate_user_id: str | None = None, actor: Principal | None, is_staff: bool = False,
) -> Membership:  # fmt: skip
    """A new person as a member of `tenant`. `actor` is None at first start only.

    Without a password nobody signs in with one: the person comes by an external issuer, or sets one by a link that is
    sent to them (`services.passwords.send_link`).

    Raises Forbidden (also for a role that holds more than the actor does), Invalid (fields, password rules, unknown
    role), Conflict where the username or external id is taken anywhere, or the e-mail address in the tenant,
    QuotaExceeded.
    """
    if actor is not None:
        actor.require("user.write")
    user = accounts.new(username, email, name, password)
    user.nexusgate_user_id = nexusgate_user_id or None
    user.is_staff = user.is_superuser = is_staff
    with platform_scope("accounts are known platform-wide"), transaction.atomic():
        membership = enter(tenant, user, role, actor)
        if actor is not None:
            after = {"username": username, "email": email, "name": name, "role": role}
            audit.record(actor, "tenants.user.create", target=username, tenant=tenant, after=after)
        tell(membership, "created", actor)
    return membership


def add_member(tenant: Tenant, username: str, *, role: str, actor: Principal) -> Membership:
    """Platform staff make somebody who has an account a member of another tenant.

    A tenant's own people invite instead (`services.invitations`), which tells them nothing about who has an account.
    Raises Forbidden, Invalid for an unknown account or role, Conflict for a member, QuotaExceeded.
    """
    actor.require("platform.tenants")
    with platform_scope("accounts are known platform-wide"), transaction.atomic():
        user = User.objects.filter(username__iexact=username, kind=User.Kind.PERSON).first()
        if user is None:
            raise Invalid(f"Nobody is called {username}.", errors={"username": ["No such account."]})
        membership = enter(tenant, user, role, actor)
        after = {"username": user.username, "role": role}
        audit.record(actor, "tenants.user.add", target=user.username, tenant=tenant, after=after)
        tell(membership, "added", actor)
    return membership


def enter(tenant: Tenant, user: User, role: str, actor: Principal | None) -> Membership:
    """Make an account, saved or new, a member. Call within platform_scope and the transaction that tells of it.

    Raises as `create_user` does; an `actor` of None is not asked whether the role is theirs to give.
    """
    quotas.check(tenant.pk, "users", Membership.objects.filter(tenant=tenant, is_active=True))
    grant = role_for(tenant, role, actor)
    present = Membership.objects.filter(tenant=tenant, user=user.pk).first()
    if present is not None:
        state = "a member already" if present.is_active else "deactivated here: reactivate them"
        raise Conflict(f"{user.username} is {state}.", errors={"username": ["A member already."]})
    accounts.check_email(tenant, user)
    if user._state.adding:
        accounts.save(user)
    elif not user.is_active:
        user.is_active = True
        user.save(update_fields=["is_active"])
    has_default = Membership.objects.filter(user=user, is_default=True).exists()
    return Membership.objects.create(tenant=tenant, user=user, role=grant, is_default=not has_default)


def tell(membership: Membership, participle: str, actor: Principal | None) -> None:
    """Announce a new or changed member; the transaction's last act."""
    snapshot.changed("members")
    data: dict[str, object] = {"id": str(membership.user.public_id), "role": membership.role.slug}
    kind = f"tenants.user.{participle}"
    telling.tell(membership.tenant_id, kind, subject=membership.user.username, data=data, actor=actor)


def role_for(tenant: Tenant, slug: str, actor: Principal | None) -> Role:
    """The role, if the actor may give it. Call with the tenant's limits locked, as roles change under that lock.

    Raises Invalid for an unknown one, Forbidden for one that holds what the actor does not.
    """
    role: Role | None = Role.objects.filter(tenant=tenant, slug=slug).first()
    if role is None:
        raise Invalid(f"No role {slug} here.", errors={"role": ["Unknown role."]})
    if slug == "owner" and actor is not None and actor.role not in _OWNERS:
        raise Forbidden("Only an owner makes owners.", code="permission_missing")
    # Or a narrowed key, or a role that may only add users, would give itself the rest by way of another account.
    if actor is not None and (beyond := sorted(role_permissions(role) - actor.permissions)):
        raise Forbidden(
            f"The role {slug} holds {beyond[0]}, which is not yours to give.", code="permission_missing"
        )
    return role


def get_membership(public_id: Any, *, actor: Principal) -> Membership:
    """The caller's tenant's member with that user id. Raises NotFound."""
    return get_membership_in(actor.tenant, public_id)


def get_membership_in(tenant: Tenant, public_id: Any) -> Membership:
    """The member of a tenant that the caller may see, with that user id. Raises NotFound."""
    members = Membership.objects.filter(tenant=tenant).select_related("user", "role", "tenant")
    membership: Membership | None = members.filter(user__public_id=public_id).first()
    if membership is None:
        raise NotFound("No such user.")
    return membership


def update_user(membership: Membership, changes: dict[str, Any], *, actor: Principal) -> Membership:
    """Change any of `role`, `is_active`, `email`, `name` and `nexusgate_user_id`, all of it or nothing.

    Raises Forbidden, Invalid, Conflict and QuotaExceeded as the single changes do.
    """
    actor.require("user.write")
    with platform_scope("accounts are known platform-wide"), transaction.atomic(), telling.together():
        account = {name: value for name, value in changes.items() if name not in ("role", "is_active")}
        if account:
            update_account(membership, account, actor=actor)
        if "role" in changes:
            assign_role(membership, changes["role"], actor=actor)
        if "is_active" in changes:
            change = reactivate_user if changes["is_active"] else deactivate_user
            change(membership, actor=actor)
        return _locked(membership)


def update_account(membership: Membership, changes: dict[str, Any], *, actor: Principal) -> None:
    """Change a member's e-mail address, name or external id. Asking again changes nothing.

    Whoever sets the address or the external id can become the account, so a tenant's people may only where the
    account is of that tenant alone and holds no more than they do; platform staff always. Of one's own account it
    asks for what `profile.update` does. Raises Forbidden (`account_shared`), Invalid, Conflict for what is taken.
    """
    actor.require("user.write")
    with platform_scope("accounts are known platform-wide"), transaction.atomic():
        membership = _locked(membership)
        quotas.lock(membership.tenant_id)
        user = User.objects.select_for_update().get(pk=membership.user_id)
        changes = {
            name: value or None if name == "nexusgate_user_id" else value for name, value in changes.items()
        }
        changes = {name: value for name, value in changes.items() if getattr(user, name) != value}
        if not changes:
            return
        _may_change_account(membership, user, actor)
        if actor.user is not None and actor.user.pk == user.pk and changes.keys() - {"name"}:
            sign_ins.require_confirmed(actor)
        before = {name: getattr(user, name) for name in changes}
        for name, value in changes.items():
            setattr(user, name, value)
        validated(user, exclude=("password",))
        if "email" in changes:
            for other in Membership.objects.select_related("tenant").filter(user=user):
                accounts.check_email(other.tenant, user)
        accounts.save(user)
        membership.user = user
        audit.record(
            actor, "tenants.user.update", target=user.username, tenant=membership.tenant, before=before, after=changes
        )  # fmt: skip
        tell(membership, "updated", actor)


def _may_change_account(membership: Membership, user: User, actor: Principal) -> None:
    if actor.is_staff:
        return
    elsewhere = Membership.objects.filter(user=user).exclude(pk=membership.pk)
    if user.is_staff or elsewhere.exists():
        raise Forbidden("Only the person, or platform staff, change this account.", code="account_shared")
    role_for(membership.tenant, membership.role.slug, actor)


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
        quotas.lock(membership.tenant_id)
        _may_touch(membership, actor)
        if role == "owner" and membership.user.kind == User.Kind.SERVICE:
            raise Invalid(
                "A service account owns no tenant.", errors={"role": ["Not for a service account."]}
            )
        before = membership.role.slug
        membership.role = role_for(membership.tenant, role, actor)
        membership.save(update_fields=["role"])
        audit.record(
            actor, "tenants.user.update", target=membership.user.username, tenant=membership.tenant,
            before={"role": before}, after={"role": role},
        )  # fmt: skip
        tell(membership, "updated", actor)
    return membership


def deactivate_user(membership: Membership, *, actor: Principal) -> None:
    """End a member's access to the tenant, and the account with the last membership. Asking again changes nothing.

    Keys and tokens are checked against the membership on use and work again after a reactivation, unless they were
    revoked or expired meanwhile. With the account its sign-ins end, for good.
    Raises Conflict for oneself and for the last owner.
    """
    actor.require("user.write")
    _not_oneself(membership, actor, "deactivate")
    _set_active(membership, False, actor)


def reactivate_user(membership: Membership, *, actor: Principal) -> None:
    """Bring back a member, with the keys that were not revoked. Asking again changes nothing.

    Raises Forbidden where the role is not the actor's to give, QuotaExceeded.
    """
    actor.require("user.write")
    _set_active(membership, True, actor)


def _set_active(membership: Membership, active: bool, actor: Principal) -> None:
    """The one place where a member comes or goes: their workspaces are stopped and hidden here, and come back here."""
    from workspaces.services import standing  # workspaces build on tenants

    with platform_scope("the account ends with its last membership"), transaction.atomic():
        membership = _locked(membership)
        if membership.is_active == active:
            return
        _may_touch(membership, actor)
        if active:
            members = Membership.objects.filter(tenant=membership.tenant, is_active=True)
            quotas.check(membership.tenant_id, "users", members)
            role_for(membership.tenant, membership.role.slug, actor)
        membership.is_active = active
        membership.save(update_fields=["is_active"])
        standing.follow_member(membership.tenant_id, membership.user_id, is_active=active)
        verb = "reactivate" if active else "deactivate"
        audit.record(actor, f"tenants.user.{verb}", target=membership.user.username, tenant=membership.tenant)
        _settle_account(membership.user_id, actor)
        tell(membership, f"{verb}d", actor)


def remove_member(membership: Membership, *, actor: Principal) -> None:
    """Take somebody out of the tenant for good: what they made stays, their keys there are revoked,
    their workspaces stopped and hidden from all but those who manage workspaces.

    The account remains, inactive where it was the last membership. Raises Conflict for oneself and the last owner.
    """
    from storage.services import access_keys  # storage and workspaces build on tenants
    from workspaces.services import standing

    actor.require("user.write")
    _not_oneself(membership, actor, "remove")
    with platform_scope("the account ends with its last membership"), transaction.atomic():
        membership = _locked(membership)
        _may_touch(membership, actor)
        keys = ApiKey.objects.filter(tenant=membership.tenant, user=membership.user, revoked_at=None)
        keys.update(revoked_at=timezone.now())
        access_keys.revoke_all(membership.tenant_id, membership.user_id)
        standing.remove_member(membership.tenant_id, membership.user_id)
        role, user = membership.role, membership.user
        membership.delete()
        audit.record(
            actor, "tenants.user.remove", target=user.username, tenant=membership.tenant, before={"role": role.slug}
        )  # fmt: skip
        snapshot.changed("api_keys")
        _settle_account(user.pk, actor)
        tell(membership, "removed", actor)


def _settle_account(user_id: int, actor: Principal) -> None:
    """An account is active while it is staff's or a member somewhere; its sign-ins end when it no longer is."""
    user = User.objects.select_for_update().get(pk=user_id)
    active = user.is_staff or Membership.objects.filter(user=user, is_active=True).exists()
    if user.is_active == active:
        return
    user.is_active = active
    user.save(update_fields=["is_active"])
    if not active:
        sign_ins.end_all(user, SignIn.Reason.DEACTIVATED, actor=actor)


def _not_oneself(membership: Membership, actor: Principal, verb: str) -> None:
    if actor.user is not None and actor.user.pk == membership.user_id:
        raise Conflict(f"You cannot {verb} yourself.")


def _locked(membership: Membership) -> Membership:
    rows = Membership.objects.select_related("user", "role", "tenant")
    locked: Membership | None = rows.select_for_update(of=("self",)).filter(pk=membership.pk).first()
    if locked is None:
        raise NotFound("No such user.")
    return locked


def _may_touch(membership: Membership, actor: Principal) -> None:
    if membership.role.slug != "owner" or not membership.is_active:
        return
    if actor.role not in _OWNERS:
        raise Forbidden("Only an owner changes an owner.", code="permission_missing")
    quotas.lock(membership.tenant_id)  # or the last two owners, each changed by the other, would both go
    owners = Membership.objects.filter(tenant=membership.tenant, role__slug="owner", is_active=True)
    if not owners.exclude(pk=membership.pk).exists():
        raise Conflict("This is the tenant's last owner.", code="last_owner")
