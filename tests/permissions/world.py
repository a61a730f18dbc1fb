"""Who calls in the permission table: one tenant's people and keys, and another's administrator.

Each is had by the door that people use: tokens from `auth/login`, sessions from the sign-in page, keys from `api-keys`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.core.cache import cache
from django.db import transaction
from django.http.cookie import SimpleCookie
from django.test import Client
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from gateway.db.scope import no_scope, platform_scope, tenant_scope
from tenants.models import ApiKey, Membership, SignIn
from tenants.permissions import PERMISSIONS
from tenants.principal import Principal
from tenants.services import users
from tests import factories

from .table import Form, Row

Maker = Callable[["World"], Any]
PEOPLE = ("viewer", "member", "admin")
OTHER = "axolotl"  # the other tenant's slug, and part of every name there: a word that no page has


class World:
    """The tenant `home` with its actors. Call within a transaction that is rolled back."""

    def __init__(self, makers: dict[str, Maker], *, narrow: bool) -> None:
        self._makers, self._client = makers, Client()
        self.home = factories.tenant("home")
        self.principals: dict[str, Principal] = {role: factories.member(self.home, role) for role in PEOPLE}
        self.principals["foreign"] = factories.member(factories.tenant(OTHER))
        self.principals["staff"] = factories.staff()
        gone = self.principals["deactivated"] = factories.member(self.home)
        self._tokens = {actor: sign_in(who)["access"] for actor, who in self.principals.items()}
        self._cookies = {actor: _cookies(who) for actor, who in self.principals.items()}
        self._keys = {
            needed: self._key({"permissions": sorted(PERMISSIONS.keys() - {needed})})
            for needed in ((None, *PERMISSIONS) if narrow else ())
        }
        self._expired = self._key({"expires_at": (timezone.now() + timedelta(hours=1)).isoformat()})
        with tenant_scope(self.home.pk):
            prefix = self._expired.split("_")[1]
            ApiKey.objects.filter(prefix=prefix).update(expires_at=timezone.now() - timedelta(seconds=1))
            users.deactivate_user(Membership.objects.get(user=gone.user), actor=self.admin)
        with platform_scope("tests"):  # however long the module takes, a password was shown just now
            SignIn.objects.update(confirmed_at=timezone.now() + timedelta(days=1))

    @property
    def admin(self) -> Principal:
        return self.principals["admin"]

    def filled(self, row: Row) -> Row:
        """The row with what it names made, and in its path, body and query. Call within `rolled_back`."""
        path, sent = row.path, (row.body, dict(row.query))
        for name, maker in self._makers.items():
            mark = f"{{{name}}}"
            if mark in path or mark in str(sent):
                made = str(maker(self))
                path, sent = path.replace(mark, made), _filled(sent, mark, made)
        assert "{" not in path, f"{row}: nobody makes what its path names"
        return replace(row, path=path, body=sent[0], query=sent[1])

    def call(self, row: Row, actor: str, *, tenant: str = "home") -> int:
        """The status that `actor`, who names `tenant` (empty: none), is answered; what the call did is undone."""
        return int(self.answer(row, actor, tenant=tenant).status_code)

    def answer(
        self, row: Row, actor: str, *, tenant: str = "home", data: tuple[bytes, str] | None = None, undone: bool = True
    ) -> Any:  # fmt: skip
        """The same with all of the answer. Attempts that were counted are forgotten.

        `data` and its type are sent in place of the row's body. Unless `undone`, what the call did stays.
        """
        cache.clear()
        cookies, headers = self._credential(row, actor)
        self._client.cookies = SimpleCookie(cookies)
        if tenant and actor in self.principals:
            headers["X-Tenant"] = tenant
        path = f"{row.path}?{urlencode(row.query)}" if row.query else row.path
        with rolled_back() if undone else nullcontext(), no_scope():
            if isinstance(row.body, Form):
                return self._client.post(path, row.body, headers=headers)
            sent, kind = data or (
                b"" if row.body is None else json.dumps(row.body).encode(),
                "application/json",
            )
            answer: Any = self._client.generic(row.method, path, sent, kind, headers=headers)
            if answer.streaming:
                answer.streaming_content = [answer.getvalue()]
            return answer

    def _credential(self, row: Row, actor: str) -> tuple[dict[str, str], dict[str, str]]:
        """The cookies and the headers that carry it."""
        if actor == "narrow":
            needed = row.permission if row.permission in self._keys else None
            return {}, {"X-API-Key": self._keys[needed]}
        if actor == "expired":
            return {}, {"X-API-Key": self._expired}
        if actor == "anonymous":
            return {}, {}
        if row.kind == "page":
            return self._cookies[actor], {}
        return {}, {"Authorization": f"Bearer {self._tokens[actor]}"}

    def _key(self, fields: dict[str, Any]) -> str:
        """A key of the administrator's."""
        headers = {"Authorization": f"Bearer {self._tokens['admin']}", "X-Tenant": "home"}
        body = {"name": "table", **fields}
        answer = self._client.post("/api/v1/api-keys", body, "application/json", headers=headers)
        return str(answer.json()["data"]["api_key"])


def sign_in(who: Principal) -> dict[str, str]:
    """A pair of tokens."""
    body = {"username": who.label, "password": factories.PASSWORD}
    pair: dict[str, str] = Client().post("/api/v1/auth/login", body, "application/json").json()["data"]
    return pair


def _cookies(who: Principal) -> dict[str, str]:
    browser = Client()
    body = {"username": who.label, "password": factories.PASSWORD}
    assert browser.post("/app/login", body).status_code == 302, f"{who.label} cannot sign in"
    return {name: held.value for name, held in browser.cookies.items()}


def _filled(sent: Any, mark: str, made: str) -> Any:
    """What is sent, with the marks in it replaced."""
    if isinstance(sent, str):
        return sent.replace(mark, made)
    if isinstance(sent, dict):
        return type(sent)((name, _filled(value, mark, made)) for name, value in sent.items())
    if isinstance(sent, (list, tuple)):
        return type(sent)(_filled(value, mark, made) for value in sent)
    return sent


@contextmanager
def built(makers: dict[str, Maker], blocker: DjangoDbBlocker, *, narrow: bool = False) -> Iterator[World]:
    """A world for a module's tests: each call is rolled back to it, and it to nothing.

    Only with `narrow` it has the keys of the actor of that name, one a permission.
    """
    with blocker.unblock(), rolled_back():
        yield World(makers, narrow=narrow)


@contextmanager
def rolled_back() -> Iterator[None]:
    with platform_scope("tests"), transaction.atomic():
        yield
        transaction.set_rollback(True)
