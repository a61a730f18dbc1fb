"""What a row of the permission table says, and the profiles by which it says it.

A row is an endpoint and a method, what to send, and who gets which status. The rows stand in a file per subject, which
`rows.py` lists; `world.py` has the actors; docs/permissions.md is the table as a document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from uuid import uuid4

from django.urls import Resolver404, ResolverMatch, resolve

ACTORS = {
    "anonymous": "no credential",
    "viewer": "signed in as a viewer of the tenant",
    "member": "as a member",
    "admin": "as an administrator",
    "foreign": "as another tenant's administrator, who names this tenant",
    "staff": "as platform staff, who name this tenant",
    "narrow": "an administrator's API key with every permission but the one that is needed",
    "expired": "an administrator's API key after its expiry",
    "deactivated": "an administrator's token or session from before the deactivation",
}
OK = 0  # in a profile: the status that the row names for those who may


@dataclass(frozen=True)
class Profile:
    """The status of every actor."""

    statuses: Mapping[str, int]

    def but(self, **statuses: int) -> Profile:
        return Profile({**self.statuses, **statuses})


PUBLIC = Profile(dict.fromkeys(ACTORS, OK))
# Of pages. A session that names a tenant it is not in is refused wherever it goes.
OPEN = PUBLIC.but(foreign=404)
SIGNED_IN = PUBLIC.but(anonymous=401, foreign=404, expired=401, deactivated=401)
VIEWER = SIGNED_IN.but(narrow=403)
MEMBER = VIEWER.but(viewer=403)
ADMIN = MEMBER.but(member=403)
STAFF = ADMIN.but(admin=403)
NOBODY = SIGNED_IN.but(viewer=404, member=404, admin=404, staff=404, narrow=404)


class Form(dict[str, Any]):
    """A body that is sent as a form's, not as JSON."""


@dataclass(frozen=True)
class Row:
    """`path` names what its ids are ids of: `users/{user}` is called with a user made for it by `MAKERS`.

    So may `body` and `query`. `needs` is the permission that the key of the actor `narrow` lacks, where that is
    not the one which the view names for the method. `case` tells rows of one endpoint and method apart.
    """

    kind: Literal["api", "page"]
    method: str
    path: str
    profile: Profile
    status: int
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    needs: str | None = None
    case: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}" + (f" ({self.case})" if self.case else "")

    @property
    def expected(self) -> dict[str, int]:
        return {actor: status or self.status for actor, status in self.profile.statuses.items()}

    @property
    def names_rows(self) -> bool:
        """Whether its path holds ids."""
        return "{" in self.path

    @cached_property
    def nowhere(self) -> str:
        """Its path with ids that nothing has, in the form that each has there."""
        for example in (str(uuid4()), "999999999999"):
            path = re.sub(r"\{\w+\}", example, self.path)
            with suppress(Resolver404):
                resolve(path)
                return path
        raise AssertionError(f"{self}: there is no such path")

    @property
    def match(self) -> ResolverMatch:
        """Where Django takes its path."""
        return resolve(self.nowhere)

    @property
    def permission(self) -> str | None:
        """What the endpoint asks for, as the view says."""
        named = getattr(getattr(self.match.func, "cls", None), "permissions", {})
        return self.needs or named.get(self.method)


def api(
    method: str, path: str, profile: Profile, status: int = 0, body: Any = None, *,
    query: Mapping[str, str] | None = None, needs: str | None = None, case: str = "",
) -> Row:  # fmt: skip
    """A row of /api/v1, called with tokens and keys."""
    usual = {"GET": 200, "POST": 201, "PUT": 200, "PATCH": 200, "DELETE": 204}
    return Row(
        "api", method, f"/api/v1/{path}", profile, status or usual[method], body, query or {}, needs, case
    )


def page(
    method: str, path: str, profile: Profile, status: int = 200, body: dict[str, Any] | None = None, *,
    query: Mapping[str, str] | None = None, json: Any = None, case: str = "",
) -> Row:  # fmt: skip
    """A row of the pages, called with sessions; `body` is a form's.

    Whoever has no session is sent to sign in, keys too; a script, which sends `json`, is told instead.
    """
    signed_out = {actor for actor, told in profile.statuses.items() if told == 401}
    if signed_out:
        to = 302 if json is None else 401
        profile = profile.but(**dict.fromkeys({*signed_out, "narrow"}, to))
    sent = json if json is not None else Form(body) if body is not None else None
    return Row("page", method, path, profile, status, sent, query or {}, None, case)
