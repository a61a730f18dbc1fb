"""One-time tickets: how a browser, which can set no header on a WebSocket or an EventSource, shows who it is.

A ticket stands for the credential that it was made with, for a minute and one use; what ends the credential ends
the ticket and the connection it opened. Valkey holds its digest and a sealed note of whose it is.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime

import orjson
from redis.exceptions import RedisError

from gateway import crypto
from gateway.errors import Unauthenticated, Unavailable
from realtime.services import valkey
from tenants.principal import Credential
from tenants.services.standing import Holder

LIFETIME_SECONDS = 60


def issue(holder: Holder) -> str:
    """A ticket for the holder of a credential. Raises Unavailable."""
    ticket = secrets.token_urlsafe(32)
    name, credential = _name(ticket), holder.credential
    note = {
        "tenant": holder.tenant_id,
        "user": holder.user_id,
        "kind": credential.kind,
        "credential": credential.id,
        "ends": credential.expires_at and credential.expires_at.timestamp(),
        "password": credential.password,
        "sign_in": credential.sign_in,
        "session": holder.session_key,
    }
    try:
        valkey().set(name, crypto.seal(orjson.dumps(note), name.encode()), ex=LIFETIME_SECONDS)
    except RedisError:
        raise Unavailable("Tickets cannot be made at the moment; try again.") from None
    return ticket


def redeem(ticket: str) -> Holder:
    """Whose ticket it is; it is spent by this. Whether the credential still holds, the caller asks.

    Raises Unauthenticated, Unavailable.
    """
    name = _name(ticket)
    try:
        sealed = valkey().getdel(name)
    except RedisError:
        raise Unavailable("Tickets cannot be checked at the moment; try again.") from None
    if not isinstance(sealed, bytes):
        raise Unauthenticated("The ticket is not valid, or was used.")
    note = orjson.loads(crypto.open_sealed(sealed, name.encode()))
    ends = note["ends"] and datetime.fromtimestamp(note["ends"], UTC)
    credential = Credential(note["kind"], note["credential"], ends, note["password"], note["sign_in"])
    return Holder(note["tenant"], note["user"], credential, note["session"])


def _name(ticket: str) -> str:
    return "gatehouse:ticket:" + hashlib.sha256(ticket.encode()).hexdigest()
