"""Bad input at every endpoint that takes a body, made of the OpenAPI document: refused by field, and nothing written.

A row of the permission table says what a good call is; each case bends it at one place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from gateway.api.document import document
from tests.permissions.rows import MAKERS, ROWS
from tests.permissions.table import OK, Row
from tests.permissions.world import World, built, rolled_back

DOCUMENT = json.loads(document())
# JSON's types, and for each what is of another. JSON has no two spellings of a number or a truth.
WRONG: dict[str, list[Any]] = {
    "string": [7, ["x"]],
    "integer": ["7", True, 1.5],
    "boolean": ["true", 1],
    "array": ["x", {"x": "y"}, [["x"]]],
    "object": ["x", ["x"]],
}
# RFC 7662, section 2.1: parameters that are not understood are ignored; forms are read too.
IGNORING = {"POST /api/v1/auth/introspect"}
# Not objects of JSON, whatever the endpoint.
NOT_OBJECTS = [b"{", b'{"a": "\xff"}', b"[]", b'"x"', b"7", b"[" * 100_000]


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    schema: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def row(self) -> Row:
        """A good call of it."""
        rows: list[Row] = [
            row for row in ROWS if row.method == self.method and isinstance(row.body, dict) and self._is(row)
        ]
        assert rows, f"{self}: the permission table has no row with a body"
        return rows[0]

    def _is(self, row: Row) -> bool:
        """Whether a row is of this operation, in whose path ids have other names."""
        ours, theirs = row.path.split("/"), self.path.split("/")
        return len(ours) == len(theirs) and all(
            a == b or b[0:1] == "{" for a, b in zip(ours, theirs, strict=True)
        )


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema itself where a reference, or one of several, leads to it."""
    if "$ref" in schema:
        return resolved(DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    for key in ("allOf", "oneOf", "anyOf"):
        if key in schema and "type" not in schema:
            merged = resolved(schema[key][0]) | {k: v for k, v in schema.items() if k != key}
            nullable = any(
                resolved(s).get("type") == "null" or s.get("enum") == [None] for s in schema[key][1:]
            )
            return merged | ({"nullable": True} if nullable else {})
    return schema


def operations() -> Iterator[Operation]:
    """Every one that takes JSON."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content:
                yield Operation(method.upper(), path, resolved(content["schema"]))


OPERATIONS = list(operations())


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with built(MAKERS, django_db_blocker) as made:
        yield made


def written() -> int:
    """How many rows the running transaction has written, also those it took back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables"
            " WHERE relname <> 'tenants_signin'"  # which notes when it was seen last
        )
        return int(cursor.fetchone()[0])


def who(row: Row) -> str:
    """Somebody who may."""
    return next((a for a in ("admin", "staff", "anonymous") if row.profile.statuses[a] == OK), "admin")


def told(world: World, row: Row, data: bytes, kind: str = "application/json") -> tuple[int, dict[str, Any]]:
    """The status and the problem that a body is answered with. It must write nothing."""
    before = written()
    answer = world.answer(row, who(row), data=(data, kind))
    assert written() == before, f"{row} wrote something: {data[:200]!r}"
    assert answer["Content-Type"] == "application/problem+json", (answer.status_code, data[:200])
    return answer.status_code, answer.json()


def types_of(schema: dict[str, Any]) -> set[str]:
    given = schema.get("type", "object")
    return set(given if isinstance(given, list) else [given])


def bent(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """(property, value of a wrong kind)."""
    for name, told_of in schema.get("properties", {}).items():
        field = resolved(told_of)
        types = types_of(field)
        if not (field.get("nullable") or "null" in types or None in field.get("enum", ())):
            yield name, None
        for kind in types - {"null"}:
            for value in WRONG.get(kind, ()):
                yield name, value
            if kind == "string" and "enum" not in field:
                yield name, "with\0NUL"


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_a_bad_field_is_named_and_nothing_is_written(world: World, operation: Operation) -> None:
    """Of the wrong type, null, with a NUL character; unknown; one that is read and not written."""
    cases = list(bent(operation.schema))
    if str(operation) not in IGNORING:
        strange = {"no_such_field", "id", "created_at"} - operation.schema.get("properties", {}).keys()
        cases += [(name, "x") for name in sorted(strange)]
    wrong = []
    with rolled_back():
        row = world.filled(operation.row)
        for name, value in cases:
            status, problem = told(world, row, json.dumps(row.body | {name: value}).encode())
            named = any(field.split(".")[0] == name for field in problem["errors"])
            if status != 400 or not named:
                wrong.append(f"{name}={value!r}: {status} {problem['errors'] or problem['detail']}")
    assert wrong == []


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_what_is_no_json_object_is_refused(world: World, operation: Operation) -> None:
    with rolled_back():
        row = replace(world.filled(operation.row), body=None)
        for data in NOT_OBJECTS:
            assert told(world, row, data)[0] == 400, data[:50]
        assert told(world, row, b"<x/>", "application/xml")[0] == 415
        too_much = b'{"a": "' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}'
        status, problem = told(world, row, too_much)
        assert (status, problem["code"]) == (413, "too_large")


def test_every_body_is_bent() -> None:
    """The document names every endpoint that reads a body."""
    assert {str(operation.row) for operation in OPERATIONS} >= {
        "POST /api/v1/tenants",
        "POST /api/v1/storage/buckets",
    }
