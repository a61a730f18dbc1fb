"""A policy that was read: what `reader` makes and `evaluation` asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from .actions import Kind
from .operators import Operator
from .patterns import Pattern

Effect = Literal["Allow", "Deny"]
Quantifier = Literal["", "ForAnyValue", "ForAllValues"]

RESOURCE: Final = "arn:aws:s3:::"
MAX_BYTES: Final = 20 * 1024
"""The longest policy, in bytes."""


@dataclass(frozen=True, slots=True)
class Name:
    """Somebody a policy names: everybody, a tenant (`user` empty), or one of its users.

    `account` is a tenant's slug, empty for the tenant of the bucket.
    """

    account: str = ""
    user: str = ""
    everybody: bool = False


@dataclass(frozen=True, slots=True)
class Principals:
    """`negated` is NotPrincipal."""

    names: tuple[Name, ...]
    negated: bool = False

    @property
    def everybody(self) -> bool:
        return any(name.everybody for name in self.names)


@dataclass(frozen=True, slots=True)
class Condition:
    """One key under one operator. `null` is the operand of the operator Null, which has no `operator`."""

    key: str  # as `keys.normal` has it
    wanted: tuple[Pattern, ...]
    operator: Operator | None = None
    null: frozenset[bool] = frozenset()
    if_exists: bool = False
    quantifier: Quantifier = ""


class Idle(NamedTuple):
    """An action, as a statement's text has it, that no request asks of the statement's resources.

    It is asked of things of another `kind`: `s3:ListBucket` of a bucket, where the resources are objects.
    """

    action: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Statement:
    """`actions` are those it is about, lower-case names with `s3:`; `resources` patterns of `bucket` and `bucket/key`.

    `principals` is None where the kind of policy has none (a session's). `idle` is what it says without effect.
    """

    index: int
    sid: str
    effect: Effect
    principals: Principals | None
    actions: frozenset[str]
    resources: tuple[Pattern, ...]
    conditions: tuple[Condition, ...] = ()
    not_resources: bool = False
    idle: tuple[Idle, ...] = ()

    @property
    def label(self) -> str:
        """How to tell people which statement it is."""
        return f"Statement {self.index + 1}" + (f" ({self.sid})" if self.sid else "")


@dataclass(frozen=True, slots=True)
class Policy:
    """Statements in their order. `asks_tags`: whether it needs to know the tags that an object has.

    `is_public`: whether it grants anything to everybody (`exposure.is_public`).
    """

    version: str
    id: str
    statements: tuple[Statement, ...]
    asks_tags: bool = False
    is_public: bool = False
