"""Temporary credentials: an id, a secret and a sealed session token that says all there is to know of them.

Nothing is kept. They act as the access key they were made of (`parent`), so they end with it, its user, its membership
and its tenant, and with the API key that they were exchanged for; the token can only narrow: an end, permissions,
addresses, a policy.
"""

from __future__ import annotations

import secrets
import string
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import orjson

from gateway import crypto
from storage.policy import reader

if TYPE_CHECKING:
    from storage.snapshot import AccessKeyInfo

PREFIX: Final = "GT"
SHORTEST: Final = timedelta(minutes=15)
LONGEST: Final = timedelta(hours=12)
MAX_POLICY: Final = 2048
"""Characters of a session's policy, as STS has it: the token travels in a header."""

_MAX_TOKEN: Final = 8192
_ALPHABET: Final = string.ascii_uppercase + string.digits
_SECRETS: Final = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Opened:
    """What a session token says. `permissions` None and `networks` empty: as the parent has them.

    `api_key` is the row of the API key that it was exchanged for, with which it ends.
    """

    access_key_id: str
    secret: str
    parent: str
    issued_at: datetime
    expires_at: datetime
    permissions: tuple[str, ...] | None = None
    networks: tuple[str, ...] = ()
    policy: str = ""
    api_key: int | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """Temporary credentials as their holder gets them."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: datetime


def is_temporary(access_key_id: str) -> bool:
    """Whether an access key id is of temporary credentials, which need their token."""
    return access_key_id.startswith(PREFIX)


def issue(
    parent: str,
    lifetime: timedelta,
    *,
    ends_by: datetime | None = None,
    permissions: Sequence[str] | None = None,
    networks: Sequence[str] = (),
    policy: str = "",
    api_key: int | None = None,
) -> Issued:
    """Credentials of the access key `parent`, at most until `ends_by`. The policy was read before."""
    key_id = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(18))
    secret = "".join(secrets.choice(_SECRETS) for _ in range(40))
    now = datetime.now(UTC).replace(microsecond=0)
    ends = min(now + lifetime, ends_by) if ends_by else now + lifetime
    claims = [
        secret,
        parent,
        int(now.timestamp()),
        int(ends.timestamp()),
        None if permissions is None else list(permissions),
        list(networks),
        policy,
        api_key,
    ]
    sealed = crypto.seal(orjson.dumps(claims), _aad(key_id))
    token = urlsafe_b64encode(sealed).decode().rstrip("=")
    return Issued(key_id, secret, token, ends)


def opened(access_key_id: str, token: str) -> Opened | None:
    """What the token says of those credentials; None for one that is not ours, or of others."""
    if not token or len(token) > _MAX_TOKEN or not token.isascii():
        return None
    try:
        return _opened(access_key_id, token)
    except (Base64Error, ValueError, crypto.CannotOpen):
        return None


@lru_cache(maxsize=4096)  # of tokens that are ours: a failure is not kept
def _opened(access_key_id: str, token: str) -> Opened:
    sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    claims = orjson.loads(crypto.open_sealed(sealed, _aad(access_key_id)))
    secret, parent, issued, ends, permissions, networks, policy, *later = claims
    return Opened(
        access_key_id,
        secret,
        parent,
        datetime.fromtimestamp(issued, UTC),
        datetime.fromtimestamp(ends, UTC),
        None if permissions is None else tuple(permissions),
        tuple(networks),
        policy,
        later[0] if later else None,
    )


def narrowed(parent: AccessKeyInfo, token: Opened) -> AccessKeyInfo:
    """The parent as its temporary credentials may act."""
    caller, permissions, networks = parent.caller, parent.permissions, parent.networks
    if token.permissions is not None:
        own = frozenset(token.permissions)
        permissions &= own
        own = own if caller.own is None else own & caller.own
        caller = replace(caller, own=own, permissions=caller.permissions & own)
    if token.policy:
        caller = replace(caller, session=reader.session_policy(token.policy))
    ends = token.expires_at if parent.expires_at is None else min(token.expires_at, parent.expires_at)
    return replace(
        parent,
        access_key_id=token.access_key_id,
        secret=token.secret,
        permissions=permissions,
        caller=caller,
        networks=networks or token.networks,
        expires_at=ends,
        issued_at=token.issued_at,
        kept=False,
        parent=parent.access_key_id,
        is_plain=False,
    )


def _aad(access_key_id: str) -> bytes:
    return b"storage.temporary:" + access_key_id.encode()
