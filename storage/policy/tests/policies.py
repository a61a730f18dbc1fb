"""Asking policies in tests: callers, and a request's values from a plain table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from storage.policy import keys, reader
from storage.policy.decision import Decision, Rules, decide
from storage.policy.principals import ANONYMOUS, Caller
from tenants.permissions import BUILTIN_ROLES

BUCKET = "amzn-s3-demo-bucket"
ARN = f"arn:aws:s3:::{BUCKET}"
OWN = "acme"


def member(account: str = OWN, user: str = "mary", role: str = "member", **more: Any) -> Caller:
    return Caller(
        account=account,
        user=user,
        user_id="17",
        permissions=BUILTIN_ROLES.get(role, frozenset()),
        is_owner=role == "owner",
        **more,
    )


NOBODY = ANONYMOUS
MARY = member()
VIEWER = member(user="vera", role="viewer")
BARE = member(user="bob", role="none")
STRANGER = member("123456789012", "dave")


def statement(effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """A statement that allows everybody to read objects, but for what `more` says otherwise; None leaves out."""
    row: dict[str, Any] = {
        "Effect": effect, "Principal": "*", "Action": "s3:GetObject", "Resource": f"{ARN}/*",
    }  # fmt: skip
    row.update(more)
    if "NotPrincipal" in more:
        del row["Principal"]
    if "NotAction" in more:
        del row["Action"]
    if "NotResource" in more:
        del row["Resource"]
    return {name: value for name, value in row.items() if value is not None}


def document(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def values_of(given: Mapping[str, str | list[str]]) -> Any:
    found = {keys.normal(k): [v] if isinstance(v, str) else v for k, v in given.items()}
    return found.get


def ask(
    text: str,
    caller: Caller = NOBODY,
    action: str = "s3:GetObject",
    key: str = "",
    *,
    restricts_public: bool = False,
    **context: Any,
) -> Decision:
    """The decision; `context` has `values={...}`."""
    policy = reader.bucket_policy(text, BUCKET)
    rules = Rules(OWN, BUCKET, policy, restricts_public)
    return decide(rules, caller, action, key, values_of(context.get("values", {})))
