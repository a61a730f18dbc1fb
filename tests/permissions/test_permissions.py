"""The permission table: every endpoint, method and kind of caller, and what each is answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django.plugin import DjangoDbBlocker

from .document import PATH, document
from .rows import MAKERS, ROWS
from .table import ACTORS, OK, PUBLIC, Row, page
from .world import World, built, rolled_back

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with built(MAKERS, django_db_blocker, narrow=True) as made:
        yield made


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_who_gets_what(world: World, row: Row) -> None:
    with rolled_back():
        filled = world.filled(row)
        assert {actor: world.call(filled, actor) for actor in ACTORS} == row.expected
        if row.names_rows and row.profile.statuses["anonymous"] != OK:
            # The other tenant's administrator, acting at home, names this tenant's row by its id.
            expected = (404, 403) if row.expected["admin"] == 403 else (404,)
            assert world.call(filled, "foreign", tenant="") in expected


@pytest.mark.parametrize("row", [row for row in ROWS if row.names_rows], ids=str)
def test_nothing_is_looked_up_for_who_may_not(world: World, row: Row) -> None:
    """401 and 403 do not depend on whether the row is there; whoever may is told that it is not."""
    asked = replace(row, path=row.nowhere)
    for actor in ("anonymous", "viewer", "admin", "narrow"):
        status = row.profile.statuses[actor]
        # What the verb alone can refuse needs its row.
        expected = {status} if status in (302, 401) else {403, 404} if status == 403 else {404}
        assert world.call(asked, actor) in expected, actor


def routes(resolver: URLResolver | None = None, before: str = "") -> Iterator[str]:
    """Every route that Django knows, as `resolve(path).route` names it."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield route
        else:
            yield from routes(entry, route)


def test_every_route_has_a_row() -> None:
    """An endpoint that is added needs its row: in the file of its app, beside this one."""
    known = {row.match.route for row in ROWS}
    assert [route for route in routes() if route not in known and not route.startswith("admin/")] == []


def test_a_method_without_a_row_is_not_allowed(world: World) -> None:
    """So no method is added without one either. Asked as staff, whom nothing else would stop."""
    examples = {row.match.route: row for row in ROWS}
    having = {(row.match.route, row.method) for row in ROWS}
    allowed = []
    for route, row in examples.items():
        for method in METHODS:
            if (route, method) not in having and row.expected["staff"] != 404:
                asked = replace(row, method=method, path=row.nowhere, body=None)
                if world.call(asked, "staff") != 405:
                    allowed.append(str(asked))
    assert allowed == []


@pytest.mark.parametrize("actor", ["anonymous", "admin"])
def test_the_administration_is_for_staff(world: World, actor: str) -> None:
    """Every route of the admin: to the sign-in page, which tells who is signed in that it is not for them."""
    within = [re.sub(r"<[^>]+>", "1", route) for route in routes() if route.startswith("admin/")]
    asked = [page("GET", "/" + path.replace("(?P1.*)$", "x"), PUBLIC) for path in within]
    told = {str(row): world.call(row, actor) for row in asked}
    assert {row: status for row, status in told.items() if status not in (302, 403)} == {}
    assert told["GET /admin/login/"] == (403 if actor == "admin" else 302)


def test_the_document_is_up_to_date() -> None:
    assert PATH.read_text() == document(), "make permissions"
