"""Who may do what: policy, public access block, role, key and session together, with the reason.

The one answer for requests, for the simulator and for pages. In order:

1. the credential itself (its permissions, scope, session policy) bounds everything; what it names without a tenant is
   its own tenant's, and another tenant's bucket is `<tenant>:<bucket>` to it;
2. an explicit Deny of the bucket's policy wins, but the owners of the tenant always reach the policy itself;
3. within the tenant the role's permission is enough;
4. an Allow of the policy lets in the people it names, and of a tenant it names those whose roles hold the
   permission there, unless the public access block restricts a public policy to the bucket's own tenant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from . import patterns
from .actions import known
from .evaluation import Question, Verdict, evaluate, session_allows
from .grammar import Policy
from .patterns import Values, no_values
from .principals import Caller, Scope

Reason = Literal[
    "role",
    "policy_allow",
    "policy_deny",
    "owner",
    "key_permissions",
    "key_scope",
    "session_policy",
    "public_access_block",
    "role_lacks",
    "not_granted",
    "unknown_action",
]
_OF_POLICY: Final = frozenset({"s3:getbucketpolicy", "s3:putbucketpolicy", "s3:deletebucketpolicy"})


@dataclass(frozen=True, slots=True)
class Rules:
    """What a bucket says of who may: its tenant's slug, its policy, and whether a public one is restricted to it."""

    tenant: str
    bucket: str
    policy: Policy | None = None
    restricts_public: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """`text` tells people why; `statement` is the label of the policy's statement that decided, or empty."""

    allowed: bool
    reason: Reason
    text: str
    statement: str = ""


def decide(rules: Rules, caller: Caller, action: str, key: str = "", values: Values = no_values) -> Decision:
    """Whether `caller` may do `action` (`s3:GetObject`) to the bucket or to its `key`."""
    found = known(action)
    if found is None:
        return Decision(False, "unknown_action", f"S3 has no action {action[:100]!r}.")
    resource = f"{rules.bucket}/{key}" if found.kind == "object" else rules.bucket
    question = Question(caller, f"s3:{found.name}", resource, values)
    if bound := credential_bounds(caller, _as_credential(question, rules.tenant), found.permission, key):
        return bound
    verdict = Verdict() if rules.policy is None else evaluate(rules.policy, question, rules.tenant)
    if verdict.denied:
        if caller.is_owner and caller.account == rules.tenant and question.action.lower() in _OF_POLICY:
            return Decision(True, "owner", "Owners of the tenant always reach a bucket's policy.")
        label = verdict.denied.label
        return Decision(False, "policy_deny", f"{label} of the bucket's policy denies it.", label)
    inside = bool(caller.account) and caller.account == rules.tenant
    holds = found.permission in caller.permissions
    if inside and holds:
        return Decision(True, "role", f"The role holds the permission {found.permission}.")
    statement = verdict.person or (verdict.tenant if holds else None)
    if statement:
        label = statement.label
        if not inside and rules.restricts_public and rules.policy and rules.policy.is_public:
            text = "The public access block restricts the bucket, whose policy is public, to its own tenant."
            return Decision(False, "public_access_block", text, label)
        return Decision(True, "policy_allow", f"{label} of the bucket's policy allows it.", label)
    if inside or verdict.tenant:
        return Decision(False, "role_lacks", f"The key's role lacks the permission {found.permission}.")
    return Decision(False, "not_granted", "The bucket's policy does not grant it.")


def _as_credential(question: Question, tenant: str) -> Question:
    """The question as credentials name buckets: to claim a name takes over nothing that was meant for another."""
    if question.caller.account == tenant:
        return question
    return replace(question, resource=f"{tenant}:{question.resource}")


def credential_bounds(caller: Caller, question: Question, permission: str, key: str) -> Decision | None:
    """The refusal where the credential itself does not reach so far, whoever its owner is.

    The resource of another tenant's bucket begins with `<tenant>:`.
    """
    if caller.own is not None and permission not in caller.own:
        return Decision(False, "key_permissions", f"The key is made without the permission {permission}.")
    if caller.scope and not in_scope(caller.scope, question, key):
        return Decision(False, "key_scope", "The key is limited to other buckets, prefixes or actions.")
    if caller.session is not None and not session_allows(caller.session, question):
        return Decision(
            False, "session_policy", "The policy of these temporary credentials does not allow it."
        )
    return None


def in_scope(scope: Scope, question: Question, key: str) -> bool:
    """Whether a key's limits let a request through.

    With prefixes, a list must ask for one of them, and what concerns the whole bucket otherwise is only looked at.
    """
    bucket, _, _ = question.resource.partition("/")
    action = question.action.lower()
    # Which buckets there are is no secret of any of them; the list shows those of the key.
    if scope.buckets and bucket not in scope.buckets and action != "s3:listallmybuckets":
        return False
    if scope.actions and not any(
        patterns.glob(text.lower()).matches(action, no_values) for text in scope.actions
    ):
        return False
    if not scope.prefixes:
        return True
    if "/" in question.resource:
        return key.startswith(scope.prefixes)
    if action in _LISTS:
        asked = (question.values("s3:prefix") or ("",))[0]
        return asked.startswith(scope.prefixes)
    return action in _SEEN


_LISTS: Final = frozenset({"s3:listbucket", "s3:listbucketversions", "s3:listbucketmultipartuploads"})
_SEEN: Final = frozenset({"s3:getbucketlocation", "s3:getbucketversioning", "s3:listallmybuckets"})
