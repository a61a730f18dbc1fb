"""What another tenant has shows through no door: pages and lists, items, filters and searches, the administration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from gateway.api.document import document
from gateway.db.scope import platform_scope
from tests.permissions.rows import MAKERS, ROWS
from tests.permissions.table import ADMIN, MEMBER, PUBLIC, VIEWER, Row, page
from tests.permissions.world import OTHER, World, built, rolled_back

from .sides import Side

READS = [row for row in ROWS if row.method == "GET" and row.expected["admin"] == 200]
SEARCHED = [
    row for row in READS
    if row.kind == "page" and not row.path.startswith("/app/account") and not row.path.endswith(("/new", "/docs"))
    and row.profile in (page("GET", "", who).profile for who in (VIEWER, MEMBER, ADMIN))
]  # fmt: skip
# Lists in which no name of a tenant's choosing stands.
NAMELESS = ("/api/v1/auth/", "/api/v1/audit/seals", "/api/v1/templates/providers")
PAGES_FILTERS = (
    "q",
    "actor",
    "action",
    "target",
    "subject",
    "kind",
    "after",
    "prefix",
    "key",
    "role",
    "state",
)


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with built(MAKERS, django_db_blocker) as made:
        yield made


@pytest.fixture(scope="module")
def other(world: World) -> Side:
    """The other tenant, with a row of every model; every name there has `OTHER` in it."""
    with platform_scope("tests"):
        return Side.of(world.principals["foreign"])


def text_of(world: World, row: Row) -> str:
    """What the tenant's administrator reads."""
    answer = world.answer(row, "admin")
    assert answer.status_code == row.expected["admin"]
    return text(answer)


def text(answer: Any) -> str:
    return bytes(answer.getvalue()).decode()


@pytest.mark.parametrize("row", READS, ids=str)
def test_nothing_of_another_tenant_is_read(world: World, other: Side, row: Row) -> None:
    with rolled_back():
        read = text_of(world, world.filled(row))
    assert OTHER not in read
    assert not [public_id for public_id in other.ids if public_id in read]


def test_it_would_be_recognised(world: World, other: Side) -> None:
    """The same lists and pages, read by the other tenant's administrator at home, are full of it."""
    lists = [
        row
        for row in READS
        if not row.names_rows
        and row.profile in (VIEWER, MEMBER, ADMIN)
        and not row.query
        and not row.path.startswith(NAMELESS)
    ]
    read = {str(row): text(world.answer(row, "foreign", tenant="")) for row in lists}
    assert [row for row, told in read.items() if OTHER not in told] == []


def listed() -> list[tuple[str, str]]:
    """(path, query parameter) of every list of the API, as its document says."""
    return [
        (path.removeprefix("/api/v1/"), parameter["name"])
        for path, methods in json.loads(document())["paths"].items()
        for parameter in methods.get("get", {}).get("parameters", ())
        if parameter["in"] == "query" and parameter["name"] not in ("page", "per_page")
    ]


@pytest.mark.parametrize(("path", "parameter"), listed(), ids=map("?".join, listed()))
def test_no_filter_finds_what_another_tenant_has(
    world: World, other: Side, path: str, parameter: str
) -> None:
    """Filtered by what is there, in exact words and as a prefix: refused, not found, or nothing."""
    # `mcp/tools` has no row that answers 200: no workspace runs there, and what is refused tells nothing either.
    rows = [*READS, *(row for row in ROWS if row.method == "GET" and row.path.endswith("/mcp/tools"))]
    [row] = [row for row in rows if same_path(row, path)][:1] or [None]
    assert row is not None, f"no row of the permission table reads {path}"
    who, there = other.admin.label, {str(other.admin.tenant.public_id)}
    with rolled_back():
        filled = world.filled(row)
        for value in (f"{OTHER}*", f"{OTHER}-bucket", who, *there):
            answer = world.answer(replace(filled, query={**filled.query, parameter: value}), "admin")
            listed_by_page = answer["Content-Type"] == "application/json" and "total" in answer.json()["meta"]
            if listed_by_page:
                assert answer.json()["meta"]["total"] == 0, value
            else:  # a file, which may say what it was asked for, a problem, or a list that goes on after a key
                told = text(answer).replace(value, "")
                assert answer.status_code in (400, 404) or not [x for x in (who, *other.ids) if x in told], (
                    value
                )


def same_path(row: Row, path: str) -> bool:
    """Whether a row of the table is of the document's path, in which ids have other names."""
    ours, theirs = row.path.removeprefix("/api/v1/").split("/"), path.split("/")
    return len(ours) == len(theirs) and all(a == b or b[0] == "{" for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("row", SEARCHED, ids=str)
def test_no_search_of_a_page_finds_what_another_tenant_has(world: World, other: Side, row: Row) -> None:
    """A page repeats what was searched for, but nothing that would have been found."""
    with rolled_back():
        filled = world.filled(row)
        for name in PAGES_FILTERS:
            asked = replace(filled, query={name: OTHER, **filled.query})
            shown = text(world.answer(asked, "admin"))
            assert not [public_id for public_id in other.ids if public_id in shown], asked


def test_the_administration_shows_a_tenants_admin_nothing(world: World, other: Side) -> None:
    from django.contrib import admin

    for model in admin.site._registry:
        at = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for path in (at, f"{at}{getattr(other.rows.get(model), 'pk', 1)}/change/"):
            answer = world.answer(page("GET", path, PUBLIC), "admin")
            assert answer.status_code in (302, 403) and OTHER not in answer.content.decode()
