"""Whom a policy lets in, whatever the request: everybody ("public"), or others than the bucket's tenant.

"Public" is as in the S3 user guide, "Blocking public access to your Amazon S3 storage", "The meaning of public".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from . import operators
from .grammar import Condition, Policy, Statement

# Fixed values of these narrow a grant to everybody enough.
_NARROWING: Final = frozenset(
    {"aws:sourceip", "aws:userid", "aws:username", "aws:principalarn", "aws:principalaccount"}
)
_POSITIVE: Final = frozenset({"StringEquals", "StringLike", "ArnEquals", "ArnLike", "IpAddress"})
_WIDEST: Final = {4: 8, 6: 32}


def is_public(statements: Iterable[Statement]) -> bool:
    """Whether some statement grants anything to everybody, not only to fixed people or networks."""
    return any(map(_is_public, statements))


def grants_outsiders(policy: Policy, tenant: str) -> bool:
    """Whether some statement grants anything to somebody outside `tenant` (a slug), or to everybody."""
    return any(_reaches_out(statement, tenant) for statement in policy.statements)


def _is_public(statement: Statement) -> bool:
    if statement.effect != "Allow" or statement.principals is None or not statement.principals.everybody:
        return False
    return not any(_narrows(condition) for condition in statement.conditions)


def _reaches_out(statement: Statement, tenant: str) -> bool:
    if statement.effect != "Allow" or statement.principals is None:
        return False
    if all(not name.everybody and name.account in ("", tenant) for name in statement.principals.names):
        return False
    return not any(_keeps_in(condition, tenant) for condition in statement.conditions)


def _is_fixed(condition: Condition) -> bool:
    """Whether the request must have one of a fixed set of values."""
    return (
        condition.operator is not None
        and condition.operator.name in _POSITIVE
        and not condition.if_exists
        and condition.quantifier != "ForAllValues"
        and all(pattern.is_fixed for pattern in condition.wanted)
    )


def _narrows(condition: Condition) -> bool:
    if condition.key not in _NARROWING or not _is_fixed(condition):
        return False
    if condition.key != "aws:sourceip":
        return True
    try:
        return not any(_is_wide(operators.network(pattern.text)) for pattern in condition.wanted)
    except ValueError:
        return True  # a text that is compared, and no network


def _is_wide(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    return network.prefixlen < _WIDEST[network.version] and not network.is_private


def _keeps_in(condition: Condition, tenant: str) -> bool:
    if not _is_fixed(condition):
        return False
    if condition.key == "aws:principalaccount":
        return all(pattern.text == tenant for pattern in condition.wanted)
    if condition.key == "aws:principalarn":
        return all(pattern.text.startswith(f"arn:aws:iam::{tenant}:") for pattern in condition.wanted)
    return False
