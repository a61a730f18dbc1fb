"""From the text of a policy to its statements (IAM user guide, "Grammar of the IAM JSON policy language").

Strict: what would be kept and silently mean nothing is refused. Two leniencies, as Ceph has them and its tests of S3
want them: an action may stand beside resources that it is never asked of (which the statement then tells, as `idle`),
and an ARN's wildcards may reach beyond the bucket.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any, Final, NoReturn, cast

from . import exposure, idle, keys, operators, patterns
from .actions import ACTIONS
from .errors import PolicyError
from .grammar import MAX_BYTES, RESOURCE, Condition, Effect, Policy, Principals, Quantifier, Statement
from .patterns import Pattern
from .principals import read_name

VERSIONS: Final = ("2012-10-17", "2008-10-17")
MAX_VARYING: Final = 100
"""Texts with variables in a policy: what they stand for is compared anew for each request."""
_POLICY: Final = {"Version", "Id", "Statement"}
_STATEMENT: Final = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}  # fmt: skip
_ALL: Final = frozenset(f"s3:{name}" for name in ACTIONS)
_QUANTIFIERS: Final[dict[str, Quantifier]] = {
    "": "",
    "foranyvalue": "ForAnyValue",
    "forallvalues": "ForAllValues",
}


@functools.lru_cache(2048)
def bucket_policy(text: str, bucket: str) -> Policy:
    """The policy of a bucket. Raises PolicyError. The same text is read once."""
    return _policy(text, bucket)


@functools.lru_cache(2048)
def session_policy(text: str) -> Policy:
    """A policy that narrows temporary credentials: without principals, of any bucket. Raises PolicyError."""
    return _policy(text, None)


def _policy(text: str, bucket: str | None) -> Policy:
    document = _json(text)
    _only(document, _POLICY, "")
    version = document.get("Version", VERSIONS[1])
    if version not in VERSIONS:
        raise PolicyError(
            f"The policy must contain a valid version string: {' or '.join(VERSIONS)}.", "Version"
        )
    policy_id = document.get("Id", "")
    if not isinstance(policy_id, str):
        raise PolicyError("Must be a text.", "Id")
    _clean(policy_id, "Id")
    given = document.get("Statement")
    if given is None:
        raise PolicyError("Missing required field Statement.", "Statement")
    rows = given if isinstance(given, list) else [given]
    if not rows:
        raise PolicyError("Must not be empty.", "Statement")
    reading = _Reading(bucket, variables=version == VERSIONS[0])
    statements = tuple(reading.statement(row, i, f"Statement[{i}]") for i, row in enumerate(rows))
    sids = [statement.sid for statement in statements if statement.sid]
    if len(set(sids)) != len(sids):
        raise PolicyError("Statement IDs (SID) in a single policy must be unique.", "Statement")
    patterns_of = [
        p for s in statements for p in (*s.resources, *(w for c in s.conditions for w in c.wanted))
    ]
    varying = [pattern.variables for pattern in patterns_of if pattern.variables]
    if len(varying) > MAX_VARYING:
        raise PolicyError(f"At most {MAX_VARYING} texts may hold policy variables.", "Statement")
    asks = any(c.key.startswith(keys.EXISTING_TAG) for s in statements for c in s.conditions) or any(
        variable.key.startswith(keys.EXISTING_TAG) for found in varying for variable in found
    )
    return Policy(version, policy_id, statements, asks, exposure.is_public(statements))


class _Reading:
    """One policy's text being read."""

    def __init__(self, bucket: str | None, *, variables: bool) -> None:
        self.bucket = bucket
        self.variables = variables

    def statement(self, row: object, index: int, path: str) -> Statement:
        if not isinstance(row, dict):
            raise PolicyError("Must be an object.", path)
        _only(row, _STATEMENT, path)
        effect = row.get("Effect")
        if effect not in ("Allow", "Deny"):
            raise PolicyError("Missing or invalid Effect: Allow or Deny.", f"{path}.Effect")
        sid = row.get("Sid", "")
        if not isinstance(sid, str):
            raise PolicyError("Must be a text.", f"{path}.Sid")
        _clean(sid, f"{path}.Sid")
        texts, not_actions = self._either(row, "Action", path)
        actions = {text: self._actions(text, at) for text, at in texts}
        named = frozenset[str]().union(*actions.values())
        given, not_resources = self._either(row, "Resource", path)
        resources = tuple(self._resource(text, at) for text, at in given)
        exact = not not_actions and not not_resources
        return Statement(
            index=index,
            sid=sid,
            effect=cast("Effect", effect),
            principals=self._principals(row, effect, path),
            actions=_ALL - named if not_actions else named,
            resources=resources,
            conditions=tuple(self._conditions(row.get("Condition", {}), f"{path}.Condition")),
            not_resources=not_resources,
            idle=idle.never_asked(self.bucket, actions, resources) if self.bucket and exact else (),
        )

    def _either(self, row: dict[str, Any], name: str, path: str) -> tuple[list[tuple[str, str]], bool]:
        """The texts of an element or of its negation, of which one must be there."""
        both = [candidate for candidate in (name, f"Not{name}") if candidate in row]
        if len(both) != 1:
            text = f"Either {name} or Not{name}, not both." if both else f"Missing required field {name}."
            raise PolicyError(text, path)
        return list(_texts(row[both[0]], f"{path}.{both[0]}")), both[0] != name

    def _principals(self, row: dict[str, Any], effect: str, path: str) -> Principals | None:
        both = [name for name in ("Principal", "NotPrincipal") if name in row]
        if self.bucket is None:
            if both:
                raise PolicyError("A session's policy has no principal.", f"{path}.{both[0]}")
            return None
        if len(both) != 1:
            text = (
                "Either Principal or NotPrincipal, not both." if both else "Missing required field Principal."
            )
            raise PolicyError(text, path)
        name = both[0]
        if name == "NotPrincipal" and effect == "Allow":
            raise PolicyError("Allow with NotPrincipal is not supported.", f"{path}.NotPrincipal")
        given = row[name]
        if isinstance(given, str):
            given = {"AWS": given}
        if not isinstance(given, dict) or not given:
            raise PolicyError("Invalid principal in policy.", f"{path}.{name}")
        names = []
        for kind, texts in given.items():
            for text, at in _texts(texts, f"{path}.{name}.{kind}"):
                found = read_name(kind, text, at)
                if found is not None:
                    names.append(found)
        return Principals(tuple(names), negated=name == "NotPrincipal")

    def _actions(self, text: str, path: str) -> frozenset[str]:
        """All actions that one text stands for."""
        name = text.lower()
        if name == "*":
            name = "s3:*"
        if not name.startswith("s3:"):
            raise PolicyError(f"Policy has invalid action: {text[:100]!r} is none of S3.", path)
        pattern = patterns.glob(name)
        found = frozenset(action for action in _ALL if pattern.matches(action, patterns.no_values))
        if not found:
            raise PolicyError(f"Policy has invalid action: S3 has no {text[:100]!r}.", path)
        return found

    def _resource(self, text: str, path: str) -> Pattern:
        if text != "*" and not text.startswith(RESOURCE):
            raise PolicyError(f"Policy has invalid resource: {text[:200]!r} is no ARN of S3.", path)
        pattern = self._pattern(text.removeprefix(RESOURCE), path)
        bucket = self.bucket
        if bucket is not None and not pattern.may_match(bucket) and not pattern.may_match_below(f"{bucket}/"):
            raise PolicyError(
                f"Policy has invalid resource: {text[:200]!r} is not of the bucket {bucket}.", path
            )
        if not pattern.pieces:
            raise PolicyError("Policy has invalid resource: it names no bucket.", path)
        return pattern

    def _conditions(self, given: object, path: str) -> Iterator[Condition]:
        if not isinstance(given, dict):
            raise PolicyError("Must be an object.", path)
        for name, row in given.items():
            at = f"{path}.{name}"
            if not isinstance(row, dict) or not row:
                raise PolicyError("Must be an object of condition keys.", at)
            head, _, tail = name.lower().rpartition(":")
            quantifier = _QUANTIFIERS.get(head)
            if_exists = tail.endswith("ifexists")
            tail = tail.removesuffix("ifexists")
            operator = operators.OPERATORS.get(tail)
            is_null = tail == operators.NULL and not if_exists and not head
            if quantifier is None or (operator is None and not is_null):
                raise PolicyError(f"Invalid condition type: {name[:50]}.", at)
            for key, texts in row.items():
                yield self._condition(key, texts, operator, quantifier, f"{at}.{key}", if_exists=if_exists)

    def _condition(
        self,
        key: str,
        texts: object,
        operator: operators.Operator | None,
        quantifier: Quantifier,
        path: str,
        *,
        if_exists: bool,
    ) -> Condition:
        if not keys.is_known(key.lower()):
            raise PolicyError(f"Policy has an invalid condition key: {key[:100]!r} is not known here.", path)
        found = [(_plain(text, path), path) for text in (texts if isinstance(texts, list) else [texts])]
        if not found:
            raise PolicyError("Must not be empty.", path)
        name = keys.normal(key)
        if operator is None:
            try:
                null = frozenset(operators.truth(text) for text, _ in found)
            except ValueError as error:
                raise PolicyError(f"{error}.", path) from None
            return Condition(name, (), null=null)
        wanted = []
        for text, at in found:
            pattern = self._pattern(text, at) if operator.takes_variables else Pattern(text, (text,))
            try:
                operator.check(text)
            except ValueError as error:
                raise PolicyError(f"{operator.name}: {error}.", at) from None
            wanted.append(pattern)
        return Condition(name, tuple(wanted), operator, if_exists=if_exists, quantifier=quantifier)

    def _pattern(self, text: str, path: str) -> Pattern:
        try:
            found = patterns.read(text, variables=self.variables)
        except ValueError as error:
            raise PolicyError(f"{error}.", path) from None
        for variable in found.variables:
            if not keys.is_known(variable.key) or variable.key in keys.MULTIVALUED:
                raise PolicyError(f"${{{variable.key}}} is no policy variable.", path)
        return found


def _json(text: str) -> dict[str, Any]:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise PolicyError(f"The policy is longer than {MAX_BYTES} bytes.")
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except PolicyError:
        raise
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise PolicyError(f"The policy is not valid JSON: {error.msg} ({where}).") from None
    except (ValueError, RecursionError):
        raise PolicyError("The policy is not valid JSON.") from None
    if not isinstance(document, dict):
        raise PolicyError("The policy must be a JSON object.")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise PolicyError(f"Duplicate element {name[:50]!r}.")
        found[name] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _only(given: dict[str, Any], known: set[str], path: str) -> None:
    if unknown := sorted(given.keys() - known):
        raise PolicyError(f"Syntax error: unknown element {unknown[0][:50]!r}.", path)


def _texts(given: object, path: str) -> Iterator[tuple[str, str]]:
    """A text, or a list of them, each with where it stands."""
    if isinstance(given, str):
        yield _clean(given, path), path
        return
    if not isinstance(given, list) or not given:
        raise PolicyError("Must be a text or a list of texts.", path)
    for i, text in enumerate(given):
        at = f"{path}[{i}]"
        if not isinstance(text, str):
            raise PolicyError("Must be a text.", at)
        yield _clean(text, at), at


def _plain(given: object, path: str) -> str:
    """A condition's value as a text; JSON's numbers and truths are what they read as."""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, int | float):
        return str(given)
    if isinstance(given, str):
        return _clean(given, path)
    raise PolicyError("Must be a text, a number or a truth value.", path)


def _clean(text: str, path: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise PolicyError("Holds characters that no request can.", path)
    return text
