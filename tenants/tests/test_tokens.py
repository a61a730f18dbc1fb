"""Tokens: which are ours, whatever their header says, and keys that change without signing anybody out."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.exceptions import TokenError

from gateway.db.scope import platform_scope
from gateway.errors import Forbidden
from tenants.models import AuditEntry, SigningKey
from tenants.services import signing_keys
from tenants.tokens import AccessToken, RefreshToken, jwks, secret_id
from tests import factories

pytestmark = pytest.mark.django_db
API = "/api/v1/"
OLD, NEW = "an-older-secret-of-forty-characters-1234", "a-younger-secret-of-forty-characters-567"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    signing_keys.forget()


@pytest.fixture
def rs256(settings) -> Any:
    settings.JWT_ALGORITHM = "RS256"
    factories.staff()  # the tenant in whose log a new key stands
    return settings


def claims(settings: Any, **other: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "sub": str(uuid4()),
        "jti": uuid4().hex,
        "iat": now,
        "exp": now + 600,
        "iss": settings.JWT_ISSUER,
        "aud": settings.JWT_AUDIENCE,
        "token_type": "access",
    } | other


def status(token: str) -> int:
    return int(APIClient(HTTP_AUTHORIZATION=f"Bearer {token}").get(API + "auth/me").status_code)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512", "RS256"])
def test_each_algorithm_signs_in(settings, algorithm: str) -> None:
    settings.JWT_ALGORITHM = algorithm
    who = factories.member(factories.tenant())
    token = factories.bearer(who).removeprefix("Bearer ")
    header = jwt.get_unverified_header(token)
    assert header["alg"] == algorithm and header["kid"]
    assert status(token) == 200
    with pytest.raises(TokenError):
        RefreshToken(token)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"aud": "https://elsewhere.example"},
        {"aud": ["https://elsewhere.example"]},
        {"aud": None},
        {"exp": int(time.time()) - 1},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": int(time.time()) + 86_400},
        {"sub": None},
        {"jti": None},
        {"token_type": "refresh"},
        {"token_type": None},
    ],
    ids=",".join,
)
def test_a_token_with_a_wrong_or_missing_claim_is_refused(settings, other: dict[str, Any]) -> None:
    body = {name: value for name, value in claims(settings, **other).items() if value is not None}
    token = jwt.encode(
        body, settings.JWT_SECRET_KEY, "HS256", headers={"kid": secret_id(settings.JWT_SECRET_KEY)}
    )
    with pytest.raises(TokenError):
        AccessToken(token)  # type: ignore[arg-type]
    assert status(token) == 401


def test_the_same_token_with_right_claims_is_taken(settings) -> None:
    token = jwt.encode(claims(settings), settings.JWT_SECRET_KEY, "HS256")
    assert AccessToken(token)["token_type"] == "access"  # type: ignore[arg-type]


def test_no_algorithm_is_no_signature(settings) -> None:
    for headers in ({}, {"kid": secret_id(settings.JWT_SECRET_KEY)}):
        token = jwt.encode(claims(settings), None, "none", headers=headers)  # type: ignore[arg-type]
        with pytest.raises(TokenError):
            AccessToken(token)  # type: ignore[arg-type]


def test_the_public_key_is_no_shared_secret(rs256: Any) -> None:
    key = signing_keys.signing()
    with platform_scope("test"):
        pem = SigningKey.objects.get(kid=key.kid).public_pem
    for headers in ({"kid": key.kid}, {}, {"kid": secret_id(pem)}):
        token = _hs256(claims(rs256), pem, headers)
        with pytest.raises(TokenError):
            AccessToken(token)  # type: ignore[arg-type]


def _hs256(body: dict[str, Any], secret: str, headers: dict[str, str]) -> str:
    """What a forger does: PyJWT refuses to sign with a public key as the secret."""
    import base64
    import hashlib
    import hmac
    import json

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    head = part(json.dumps({"alg": "HS256", "typ": "JWT", **headers}).encode())
    signed = f"{head}.{part(json.dumps(body).encode())}"
    return f"{signed}.{part(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


def test_a_shared_secret_signs_nothing_where_key_pairs_do(rs256: Any) -> None:
    for headers in ({}, {"kid": secret_id(rs256.JWT_SECRET_KEY)}):
        token = jwt.encode(claims(rs256), rs256.JWT_SECRET_KEY, "HS256", headers=headers)
        with pytest.raises(TokenError):
            AccessToken(token)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "kid", ["rs-0123456789abcdef", "hs-0123456789ab", "", "../../etc/passwd", "a\0b", "x" * 5000]
)
def test_an_unknown_key_verifies_nothing(rs256: Any, kid: str) -> None:
    key = signing_keys.signing()
    assert key.private is not None
    token = jwt.encode(claims(rs256), key.private, "RS256", headers={"kid": kid})
    with pytest.raises(TokenError):
        AccessToken(token)  # type: ignore[arg-type]


@pytest.mark.parametrize("token", ["", "a.b.c", "é.é.é", "a" * 9000, "..", "e30.e30.e30"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(TokenError):
        AccessToken(token)  # type: ignore[arg-type]


def test_another_secret_signs_nobody_out(settings) -> None:
    settings.JWT_SECRET_KEY = OLD
    who = factories.member(factories.tenant())
    token = factories.bearer(who).removeprefix("Bearer ")
    settings.JWT_SECRET_KEY, settings.JWT_PREVIOUS_SECRET_KEYS = NEW, [OLD]
    assert status(token) == 200
    assert status(factories.bearer(who).removeprefix("Bearer ")) == 200
    settings.JWT_PREVIOUS_SECRET_KEYS = []
    with pytest.raises(TokenError):
        AccessToken(token)  # type: ignore[arg-type]


def test_from_a_secret_to_key_pairs_nobody_is_signed_out(settings) -> None:
    settings.JWT_SECRET_KEY = OLD
    who = factories.member(factories.tenant())
    token = factories.bearer(who).removeprefix("Bearer ")
    settings.JWT_ALGORITHM, settings.JWT_PREVIOUS_SECRET_KEYS = "RS256", [OLD]
    assert status(token) == 200


def test_a_rotated_key_is_published_signs_in_its_turn_and_signs_nobody_out(rs256: Any) -> None:
    who = factories.member(factories.tenant())
    before = factories.bearer(who).removeprefix("Bearer ")
    old = jwt.get_unverified_header(before)["kid"]
    new = signing_keys.rotate(actor=factories.staff())
    assert (
        signing_keys.rotate(actor=factories.staff()).kid == new.kid
    )  # it waits: asking again changes nothing
    signing_keys.forget()
    assert {key["kid"] for key in jwks()["keys"]} == {old, new.kid}
    assert signing_keys.signing().kid == old
    with platform_scope("the clock cannot be turned"):
        SigningKey.objects.filter(kid=old).update(signs_from=timezone.now() - timedelta(hours=1))
        SigningKey.objects.filter(kid=new.kid).update(signs_from=timezone.now() - timedelta(seconds=1))
    signing_keys.forget()
    after = factories.bearer(who).removeprefix("Bearer ")
    assert jwt.get_unverified_header(after)["kid"] == new.kid
    assert status(before) == status(after) == 200
    with platform_scope("test"):
        ends = SigningKey.objects.get(kid=old).verifies_until
    assert ends is not None and ends > timezone.now() + timedelta(days=13)
    with platform_scope("the clock cannot be turned"):
        SigningKey.objects.filter(kid=old).update(verifies_until=timezone.now() - timedelta(seconds=1))
    signing_keys.forget()
    with pytest.raises(TokenError):
        AccessToken(before)  # type: ignore[arg-type]
    assert [key["kid"] for key in jwks()["keys"]] == [new.kid]


def test_a_revoked_key_verifies_no_more_and_another_signs(rs256: Any) -> None:
    who = factories.member(factories.tenant())
    token = factories.bearer(who).removeprefix("Bearer ")
    with platform_scope("test"):
        key = SigningKey.objects.get()
    with pytest.raises(Forbidden):
        signing_keys.revoke(key, actor=who)
    signing_keys.revoke(key, actor=factories.staff())
    signing_keys.forget()
    with pytest.raises(TokenError):
        AccessToken(token)  # type: ignore[arg-type]
    assert status(factories.bearer(who).removeprefix("Bearer ")) == 200
    with platform_scope("test"):
        assert bytes(SigningKey.objects.get(pk=key.pk).private_sealed) == b""
        assert AuditEntry.objects.filter(action="tenants.signing_key.revoke", target=key.kid).exists()


def test_keys_are_rotated_by_age_forgotten_and_removed(rs256: Any) -> None:
    old = signing_keys.signing()
    rows = SigningKey.objects
    with platform_scope("the clock cannot be turned"):
        rows.filter(kid=old.kid).update(signs_from=timezone.now() - timedelta(days=91))
    signing_keys.sweep()
    signing_keys.sweep()
    with platform_scope("test"):
        assert rows.count() == 2
        assert bytes(rows.get(kid=old.kid).private_sealed)  # it signs until the other's turn
        rows.exclude(kid=old.kid).update(signs_from=timezone.now() - timedelta(minutes=2))
    signing_keys.sweep()
    with platform_scope("test"):
        assert bytes(rows.get(kid=old.kid).private_sealed) == b""
        rows.filter(kid=old.kid).update(verifies_until=timezone.now() - timedelta(days=2))
    signing_keys.sweep()
    with platform_scope("test"):
        assert rows.count() == 1


def test_the_private_key_is_sealed_and_the_public_one_published(rs256: Any) -> None:
    key = signing_keys.signing()
    with platform_scope("test"):
        row = SigningKey.objects.get()
    assert b"PRIVATE" not in bytes(row.private_sealed) and "PRIVATE" not in row.public_pem
    answer = APIClient().get("/jwks")
    assert answer.status_code == 200 and answer["Cache-Control"] == "public, max-age=300"
    (found,) = answer.json()["keys"]
    assert (found["kid"], found["alg"], found["use"]) == (key.kid, "RS256", "sig") and "d" not in found
    who = factories.member(factories.tenant())
    token = factories.bearer(who).removeprefix("Bearer ")
    public = jwt.PyJWK(found).key
    body = jwt.decode(token, public, ["RS256"], audience=rs256.JWT_AUDIENCE, issuer=rs256.JWT_ISSUER)
    assert who.user is not None and body["sub"] == str(who.user.public_id)


def test_a_shared_secret_is_not_published() -> None:
    assert APIClient().get("/jwks").json() == {"keys": []}
