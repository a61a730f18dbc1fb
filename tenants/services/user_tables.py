"""Users in bulk: a tenant's members as a table, and such a table taken in.

A row with a username is about that member; where there is none of that name, an account without a password is made. A
row with an e-mail address alone invites. Cells that are empty or left out change nothing. A table is taken as a whole
or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone
from rest_framework import serializers

from gateway.api.fields import Body, Text
from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import DomainError, Invalid
from gateway.tables import Refusals, Row
from tenants.models import Invitation, Membership, Tenant, User
from tenants.principal import Principal

from . import invitations, telling, users

COLUMNS = ("username", "email", "name", "role", "active", "nexusgate_user_id")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a row: `created`, `updated`, `invited`, `unchanged` or, in a dry run, `refused`."""

    row: int
    subject: str
    outcome: str
    errors: dict[str, list[str]] = field(default_factory=dict)


class _RowFields(Body):
    username = Text(max_length=150, required=False)
    email = serializers.EmailField(required=False, allow_blank=True)
    name = Text(max_length=150, required=False, allow_blank=True)
    role = Text(max_length=63, required=False)
    active = serializers.BooleanField(required=False)
    nexusgate_user_id = Text(max_length=255, required=False, allow_blank=True, allow_null=True)


def rows_of(tenant: Tenant, *, actor: Principal) -> Iterator[dict[str, Any]]:
    """The tenant's people by COLUMNS, by username; no passwords. Raises Forbidden."""
    actor.require("user.read")
    with tenant_scope(tenant.pk):
        rows = Membership.objects.select_related("user", "role").filter(
            tenant=tenant, user__kind=User.Kind.PERSON
        )
        found = list(rows.order_by("user__username"))
    return (
        {
            "username": row.user.username,
            "email": row.user.email,
            "name": row.user.name,
            "role": row.role.slug,
            "active": row.is_active,
            "nexusgate_user_id": row.user.nexusgate_user_id,
        }
        for row in found
    )


def take(tenant: Tenant, rows: list[Row], *, dry_run: bool, actor: Principal) -> list[Outcome]:
    """Bring users in. With `dry_run` nothing changes, and refused rows are told among the others.

    Raises Forbidden; Invalid (`rows_refused`) by row and column where any row is refused: then none is taken.
    """
    actor.require("user.write")
    refusals, seen = Refusals(), set[str]()
    outcomes: list[Outcome] = []
    with platform_scope("accounts are known platform-wide"), transaction.atomic():
        with telling.together():
            for row in rows:
                try:
                    with transaction.atomic():
                        outcomes.append(_take(tenant, row, seen, actor))
                except DomainError as error:
                    refusals.add(row, error)
                    errors = error.errors or {"row": [error.detail]}
                    outcomes.append(Outcome(row.number, _subject(row), "refused", errors))
            if not dry_run:
                refusals.check()
        if dry_run:
            transaction.set_rollback(True)
    return outcomes


def _take(tenant: Tenant, row: Row, seen: set[str], actor: Principal) -> Outcome:
    values = _checked(row)
    username, email = values.pop("username", ""), values.get("email", "")
    key = (username or email).lower()
    if key in seen:
        raise Invalid(
            "Twice in this table.", errors={"username" if username else "email": ["Twice in this table."]}
        )
    seen.add(key)
    if not key:
        raise Invalid("A row needs a username or an e-mail address.", errors={"username": ["Missing."]})
    if not username:
        return Outcome(row.number, email, _invited(tenant, values, actor))
    changes = {("is_active" if name == "active" else name): value for name, value in values.items()}
    present = Membership.objects.select_related("user", "role", "tenant")
    membership = present.filter(tenant=tenant, user__username__iexact=username).first()
    if membership is not None:
        return Outcome(row.number, username, _updated(membership, changes, actor))
    is_active = changes.pop("is_active", True)
    account = {"role": "member", **changes}
    membership = users.create_user(tenant, username, password=None, actor=actor, **account)
    if not is_active:
        users.deactivate_user(membership, actor=actor)
    return Outcome(row.number, username, "created")


def _invited(tenant: Tenant, values: dict[str, Any], actor: Principal) -> str:
    if strange := values.keys() - {"email", "name", "role"}:
        raise Invalid(
            "An invitation has an address, a name and a role.",
            errors={name: ["Not for an invitation; name the user."] for name in sorted(strange)},
        )
    pending = Invitation.objects.filter(tenant=tenant, accepted_at=None, revoked_at=None)
    if pending.filter(email__iexact=values["email"], expires_at__gt=timezone.now()).exists():
        return "unchanged"
    invitations.invite(tenant, actor=actor, **values)
    return "invited"


def _updated(membership: Membership, changes: dict[str, Any], actor: Principal) -> str:
    now = _state(membership)
    changes = {name: value for name, value in changes.items() if now[name] != (value or "")}
    if not changes:
        return "unchanged"
    users.update_user(membership, changes, actor=actor)
    return "updated"


def _state(membership: Membership) -> dict[str, Any]:
    user = membership.user
    return {
        "email": user.email,
        "name": user.name,
        "role": membership.role.slug,
        "is_active": membership.is_active or "",
        "nexusgate_user_id": user.nexusgate_user_id or "",
    }


def _checked(row: Row) -> dict[str, Any]:
    read = _RowFields(data=row.values)
    if not read.is_valid():
        errors = {str(name): [str(text) for text in texts] for name, texts in read.errors.items()}
        name, texts = next(iter(errors.items()))
        raise Invalid(f"{name}: {texts[0]}", errors=errors)
    return dict(read.validated_data)


def _subject(row: Row) -> str:
    return str(row.values.get("username") or row.values.get("email") or "")[:254]
