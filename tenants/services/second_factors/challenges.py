"""The moment between the password and the second factor, as an opaque token that lasts five minutes and works once.

Valkey holds, under the token's digest, a sealed note of whose password was right. It opens nothing by itself.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

import orjson
from django.core.cache import cache
from django.utils.crypto import constant_time_compare
from redis.exceptions import RedisError

from gateway import crypto
from gateway.db.scope import platform_scope
from gateway.errors import Unauthenticated, Unavailable
from tenants.models import User

from . import webauthn

LIFETIME_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Challenge:
    """`user`'s password was right; `signed` is what a security key of theirs must sign."""

    user: User
    signed: bytes


def issue(user: User) -> str:
    """A token for somebody whose password was right. Raises Unavailable."""
    token = secrets.token_urlsafe(32)
    name = _name(token)
    note = {
        "user": user.pk,
        "password": user.get_session_auth_hash(),
        "signed": webauthn.new_challenge().hex(),
    }
    try:
        cache.set(name, crypto.seal(orjson.dumps(note), name.encode()), timeout=LIFETIME_SECONDS)
    except RedisError:
        raise Unavailable("A second factor cannot be asked for at the moment; try again.") from None
    return token


def find(token: str) -> Challenge:
    """What a token stands for. Raises Unauthenticated (`challenge_expired`), Unavailable."""
    name = _name(token)
    try:
        sealed = cache.get(name)
    except RedisError:
        raise Unavailable("The second factor cannot be checked at the moment; try again.") from None
    if not isinstance(sealed, bytes):
        raise _expired()
    note = orjson.loads(crypto.open_sealed(sealed, name.encode()))
    with platform_scope("an account signs in, not yet a tenant"):
        user = User.objects.filter(pk=note["user"], is_active=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), note["password"]):
        raise _expired()
    return Challenge(user, bytes.fromhex(note["signed"]))


def spend(token: str) -> None:
    """Use a token up: of several at once, one passes. Raises Unauthenticated, Unavailable."""
    try:
        was_there = cache.delete(_name(token))
    except RedisError:
        raise Unavailable("The second factor cannot be checked at the moment; try again.") from None
    if not was_there:
        raise _expired()


def _expired() -> Unauthenticated:
    return Unauthenticated("The sign-in took too long; begin again.", code="challenge_expired")


def _name(token: str) -> str:
    return "sign-in-challenge:" + hashlib.sha256(token.encode()).hexdigest()
