"""Temporary credentials for S3, exchanged for any credential of ours."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from gateway.errors import Forbidden, Invalid
from realtime import services as realtime
from storage import temporary
from storage.models import AccessKey
from storage.policy import reader
from storage.policy.errors import PolicyError
from storage.temporary import LONGEST, MAX_POLICY, SHORTEST, Issued
from tenants.permissions import PERMISSIONS
from tenants.principal import Principal
from tenants.services import audit, key_reach

from . import access_keys

DEFAULT = timedelta(hours=1)


def issue(lifetime: timedelta = DEFAULT, *, policy: str = "", actor: Principal) -> Issued:
    """Credentials that act as the caller in the caller's tenant, from 15 minutes to 12 hours.

    They end before that with the user, the membership, the tenant, and with the API key that asked; they may do no
    more than the caller's credential. `policy` (JSON without principals) narrows them further. Nothing of them is kept
    but the audit entry. Raises Forbidden, Invalid by field.
    """
    actor.require_entry()
    if actor.user is None:
        raise Invalid("Credentials belong to a user.")
    check(lifetime, policy)
    bounds, key = key_reach.bounds_of(actor), key_reach.key_of(actor)
    parent, _ = access_keys.signing_key(actor=actor)
    issued = temporary.issue(
        parent,
        lifetime,
        ends_by=bounds.expires_at,
        permissions=sorted(actor.permissions & PERMISSIONS.keys()) if key else None,
        networks=bounds.networks,
        policy=policy,
        api_key=key.pk if key else None,
    )
    _tell(issued, policy, actor)
    return issued


def issue_of_key(access_key_id: str, lifetime: timedelta, *, actor: Principal) -> Issued:
    """Credentials of an access key of the caller, with its limits; they end with it too.

    Raises Forbidden for a key that has ended meanwhile, Invalid by field.
    """
    check(lifetime, "")
    key = AccessKey.objects.filter(access_key_id=access_key_id, tenant=actor.tenant, revoked_at=None).first()
    if key is None:
        raise Forbidden("The access key has ended.")
    issued = temporary.issue(access_key_id, lifetime, ends_by=key.expires_at)
    _tell(issued, "", actor)
    return issued


def check(lifetime: timedelta, policy: str) -> None:
    """Return where both are possible. Raises Invalid by field."""
    if not SHORTEST <= lifetime <= LONGEST:
        text = f"From {int(SHORTEST.total_seconds())} to {int(LONGEST.total_seconds())}."
        raise Invalid(f"duration_seconds: {text}", errors={"duration_seconds": [text]})
    if len(policy) > MAX_POLICY:
        text = f"At most {MAX_POLICY} characters."
        raise Invalid(f"policy: {text}", errors={"policy": [text]})
    if policy:
        try:
            reader.session_policy(policy)
        except PolicyError as error:
            raise Invalid(
                f"policy: {error}", code="malformed_policy", errors={"policy": [str(error)]}
            ) from None


def _tell(issued: Issued, policy: str, actor: Principal) -> None:
    ends = issued.expires_at.isoformat()
    with transaction.atomic():
        audit.record(
            actor,
            "storage.credentials.issue",
            target=issued.access_key_id,
            after={"expires_at": ends, "policy": policy},
        )
        realtime.publish(
            actor.tenant.pk,
            "storage.credentials.issued",
            subject=issued.access_key_id,
            data={"expires_at": ends},
            actor=actor,
        )
