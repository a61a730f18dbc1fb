"""What a workspace is told of who calls it: sealed, short-lived, and of use to nobody but the platform's introspection.

It stands for the caller's credential without being one: no door of the platform takes it.
"""

from __future__ import annotations

import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway import crypto
from tenants.principal import Credential, Principal

PREFIX = "gha_"
LASTS_SECONDS = 300
MOST = 4096
REUSED_SECONDS = 30
_MOST_KEPT = 10_000
_kept: dict[tuple[object, ...], tuple[float, Mapping[str, str]]] = {}
_AAD = b"workspaces.assertion"


@dataclass(frozen=True, slots=True)
class Assertion:
    """`user_id` called the workspace `workspace_id` (both are rows' ids) from `ip` with that credential."""

    user_id: int
    tenant_id: int
    workspace_id: int
    credential: Credential
    ip: str | None


def make(caller: Principal, workspace_id: int) -> str:
    """The assertion's text. Raises ValueError for a caller who is nobody."""
    if caller.user is None:
        raise ValueError("the platform itself calls no workspace this way")
    shown = caller.credential
    said: dict[str, Any] = {
        "until": int(time.time()) + LASTS_SECONDS,
        "user": caller.user.pk,
        "tenant": caller.tenant.pk,
        "workspace": workspace_id,
        "kind": shown.kind,
        "id": shown.id,
        "ends": shown.expires_at.timestamp() if shown.expires_at else None,
        "password": shown.password,
        "sign_in": shown.sign_in,
        "ip": caller.ip,
    }
    return PREFIX + urlsafe_b64encode(crypto.seal(orjson.dumps(said), _AAD)).decode("ascii")


def headers(caller: Principal, workspace_id: int) -> Mapping[str, str]:
    """What a request tells a workspace of who asks. Made anew after REUSED_SECONDS: a busy caller's are the same."""
    assert caller.user is not None
    asked = (workspace_id, caller.user.pk, caller.tenant.pk, caller.role, caller.credential, caller.ip)
    now = time.monotonic()
    kept = _kept.get(asked)
    if kept is not None and now < kept[0]:
        return kept[1]
    made = {
        "X-Gatehouse-User": str(caller.user.public_id),
        "X-Gatehouse-Role": caller.role,
        "X-Gatehouse-Tenant": caller.tenant.slug,
        "X-Gatehouse-Assertion": make(caller, workspace_id),
    }
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    _kept[asked] = (now + REUSED_SECONDS, made)
    return made


def read(text: str) -> Assertion | None:
    """What was asserted, if it was here and not too long ago."""
    if not text.startswith(PREFIX) or len(text) > MOST:
        return None
    try:
        said = orjson.loads(crypto.open_sealed(urlsafe_b64decode(text[len(PREFIX) :]), _AAD))
    except (NotBase64, ValueError, crypto.CannotOpen):
        return None
    if said["until"] <= time.time():
        return None
    ends = None if said["ends"] is None else datetime.fromtimestamp(said["ends"], UTC)
    credential = Credential(said["kind"], said["id"], ends, said["password"], said["sign_in"])
    return Assertion(said["user"], said["tenant"], said["workspace"], credential, said["ip"])
