"""Who may do what in a bucket, for doors other than S3: the pages, the API, and whoever wants to know beforehand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from gateway.db.scope import platform_scope
from gateway.errors import Forbidden, Invalid
from storage.models import Bucket, Object
from storage.policy import keys, reader
from storage.policy.actions import ACTIONS, known
from storage.policy.decision import Decision, Rules, decide
from storage.policy.errors import PolicyError
from storage.policy.grammar import RESOURCE, Idle, Policy, Statement
from storage.policy.principals import ANONYMOUS, Caller
from tenants import features
from tenants.models import Membership, Tenant
from tenants.permissions import STAFF, held
from tenants.principal import Principal

from . import bucket_settings

ACTION_NAMES: Final = sorted(f"s3:{action.name}" for action in ACTIONS.values())
_OWNER: Final = "owner"
_TAG_KEYS: Final = "s3:requestobjecttagkeys"
_ARN: Final = re.compile(r"arn:aws:iam::(?P<account>[^:]*):user/(?P<user>[^:]+)\Z")


@dataclass(frozen=True, slots=True)
class Situation:
    """What a request has beside who asks for what. Values of the conditions' keys are made of it.

    `said` are values of condition keys, as `keys.normal` has them, that hold in place of what is made here.
    """

    caller: Caller
    owner: str
    ip: str | None = None
    secure: bool = True
    tags: Mapping[str, str] | None = None
    prefix: str | None = None
    said: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, key: str) -> Sequence[str] | None:
        if key in self.said:
            return (self.said[key],)
        if key == _TAG_KEYS:
            return [
                name[len(keys.REQUEST_TAG) :] for name in self.said if name.startswith(keys.REQUEST_TAG)
            ] or None
        now = datetime.now(UTC)
        known_here = {
            "aws:sourceip": self.ip,
            "aws:securetransport": "true" if self.secure else "false",
            "aws:currenttime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "aws:epochtime": str(int(now.timestamp())),
            "aws:username": self.caller.user,
            "aws:userid": self.caller.user_id,
            "aws:principalarn": self.caller.arn,
            "aws:principalaccount": self.caller.account,
            "aws:principaltype": "User" if self.caller.account else "Anonymous",
            "aws:requestedregion": "us-east-1",
            "aws:resourceaccount": self.owner,
            "s3:resourceaccount": self.owner,
            "s3:prefix": self.prefix,
        }
        if key.startswith(keys.EXISTING_TAG):
            value = (self.tags or {}).get(key[len(keys.EXISTING_TAG) :])
        else:
            value = known_here.get(key)
        return (value,) if value else None


def require(
    bucket: Bucket,
    action: str,
    key: str = "",
    *,
    prefix: str | None = None,
    actor: Principal,
) -> None:
    """Return unless the bucket's policy denies the actor `action` (`s3:DeleteObject`) there.

    What the role needs for it is the verb's to ask. Raises Forbidden, code `policy_denied`.
    """
    if not bucket.policy:
        return
    caller = _of_principal(actor)
    rules = _rules(bucket, bucket.policy, actor.tenant)
    tags: Mapping[str, str] | None = None
    if key and rules.policy is not None and rules.policy.asks_tags:
        tags = _tags_of(bucket, key)
    found = decide(rules, caller, action, key, Situation(caller, rules.tenant, actor.ip, True, tags, prefix))
    if found.reason == "policy_deny":
        raise Forbidden(found.text, code="policy_denied")


def simulate(
    bucket: Bucket,
    who: str,
    action: str,
    key: str = "",
    *,
    ip: str | None = None,
    secure: bool = True,
    policy: str | None = None,
    context: Mapping[str, str] | None = None,
    actor: Principal,
) -> Decision:
    """What `who` would be answered, with the reason. Nothing is done.

    `who` is a username of the tenant, `anonymous`, or the ARN of a user of any tenant, of which those elsewhere hold no
    permission here. `policy` is tried in place of the bucket's own. `context` are values of condition keys that the
    request shall have (`s3:prefix`). Raises Invalid, Forbidden.
    """
    actor.require("storage.bucket.read")
    if known(action) is None:
        raise Invalid(
            f"S3 has no action {action[:100]!r}.", errors={"action": ["Not one of S3's, as s3:GetObject is."]}
        )
    said = _said(context or {})
    caller = _of_name(who.strip(), actor)
    rules = _rules(
        bucket, bucket.policy if policy is None else policy, actor.tenant, is_draft=policy is not None
    )
    tags = _tags_of(bucket, key) if key else None
    situation = Situation(caller, rules.tenant, ip, secure, tags, said=said)
    return decide(rules, caller, action, key, situation)


def _said(context: Mapping[str, str]) -> Mapping[str, str]:
    """Raises Invalid for a key that policies cannot ask for."""
    unknown = [key for key in context if not keys.is_known(key.lower())]
    if unknown:
        text = f"{unknown[0][:100]!r} is no condition key that is known here."
        raise Invalid(f"context: {text}", errors={"context": [text]})
    return {keys.normal(key): value for key, value in context.items()}


def _tags_of(bucket: Bucket, key: str) -> Mapping[str, str] | None:
    """Those of the object that is there now, None where there is none."""
    if "\0" in key:
        return None
    rows = Object.objects.filter(tenant_id=bucket.tenant_id, bucket=bucket, key=key)
    found: Mapping[str, str] | None = rows.values_list("tags", flat=True).first()
    return found


def is_public(bucket: Bucket) -> bool:
    """Whether its policy grants anything to everybody."""
    try:
        return bool(bucket.policy) and reader.bucket_policy(bucket.policy, bucket.name).is_public
    except PolicyError:
        return False


def warnings(bucket: Bucket) -> list[str]:
    """What its policy says without effect, a sentence each."""
    try:
        policy = reader.bucket_policy(bucket.policy, bucket.name) if bucket.policy else None
    except PolicyError as error:
        return [error.message]
    statements = policy.statements if policy else ()
    return [_said_in_vain(idle, statement, bucket) for statement in statements for idle in statement.idle]


def _said_in_vain(idle: Idle, statement: Statement, bucket: Bucket) -> str:
    of, arn = ("the bucket", bucket.name) if idle.kind == "bucket" else ("objects", f"{bucket.name}/*")
    return (
        f"{statement.label} has no effect on {idle.action}, which is asked of {of}: "
        f"it needs a resource like {RESOURCE}{arn}."
    )


def _rules(bucket: Bucket, text: str, tenant: Tenant, *, is_draft: bool = False) -> Rules:
    """Raises Invalid, code `malformed_policy`."""
    policy: Policy | None = None
    if text:
        try:
            policy = reader.bucket_policy(text, bucket.name)
        except PolicyError as error:
            field = "policy" if is_draft else "bucket"
            raise Invalid(str(error), code="malformed_policy", errors={field: [str(error)]}) from None
    restricts = bucket_settings.public_access_of(bucket)["RestrictPublicBuckets"]
    return Rules(tenant.slug, bucket.name, policy, restricts)


def _of_principal(actor: Principal) -> Caller:
    user = actor.user
    return Caller(
        account=actor.tenant.slug,
        user=user.username if user else "",
        user_id=str(user.pk) if user else "",
        permissions=actor.permissions,
        is_owner=actor.role == _OWNER or actor.is_staff,
    )


def _of_name(who: str, actor: Principal) -> Caller:
    if who.lower() == "anonymous":
        return ANONYMOUS
    found = _ARN.match(who)
    if found and found["account"] not in ("", actor.tenant.slug):
        return Caller(account=found["account"], user=found["user"])
    name = found["user"] if found else who
    # Platform staff act in every tenant without being its members.
    if actor.user is not None and actor.user.username == name and actor.is_staff:
        return Caller(actor.tenant.slug, name, str(actor.user.pk), STAFF, is_owner=True)
    members = Membership.objects.filter(tenant=actor.tenant, is_active=True, user__is_active=True)
    member = (
        members.select_related("role", "user").filter(user__username=name).first()
        if "\0" not in name
        else None
    )
    if member is None:
        message = "No active member of the tenant, not `anonymous`, and no ARN of a user."
        raise Invalid(f"Nobody is known as {name[:100]!r}.", errors={"principal": [message]})
    with platform_scope("what the tenant has switched off"):
        off = actor.tenant.settings.disabled_features
    may = features.without(held(member.role.base, member.role.granted), off)
    return Caller(actor.tenant.slug, name, str(member.user.pk), may, is_owner=member.role.base == _OWNER)
