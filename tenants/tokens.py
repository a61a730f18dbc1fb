"""How the platform's tokens are signed and verified (RFC 7519, RFC 7515, RFC 8725).

A key verifies its own kind of algorithm alone, and is found by the `kid` of the token's header: what the header says
of the algorithm chooses nothing. Issuer and audience are required. All that signs or reads a token of ours uses the
classes here; simplejwt's own would sign with another key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jwt
from django.conf import settings
from rest_framework_simplejwt import tokens as simplejwt
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenBackendExpiredToken

from .services import signing_keys

SECRET_ALGORITHMS = ("HS256", "HS384", "HS512")
_REQUIRED = ["exp", "iat", "iss", "aud", "sub", "jti"]
Verifier = tuple[Any, tuple[str, ...]]


class Backend(TokenBackend):
    """Signs and verifies by the settings and keys of the moment, for every kind of token."""

    def __init__(self) -> None:
        super().__init__(signing_keys.ALGORITHM)

    def encode(self, payload: dict[str, Any]) -> str:
        claims = payload | {"iss": settings.JWT_ISSUER, "aud": settings.JWT_AUDIENCE}
        if settings.JWT_ALGORITHM in SECRET_ALGORITHMS:
            secret = settings.JWT_SECRET_KEY
            return jwt.encode(claims, secret, settings.JWT_ALGORITHM, headers={"kid": secret_id(secret)})
        key = signing_keys.signing()
        assert key.private is not None
        return jwt.encode(claims, key.private, signing_keys.ALGORITHM, headers={"kid": key.kid})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """The claims. Raises TokenBackendError, TokenBackendExpiredToken."""
        if not verify:
            raise TokenBackendError("A token is read only when it is verified.")
        try:
            for key, algorithms in _verifiers(str(token)):
                try:
                    return self._verified(str(token), key, algorithms)
                except jwt.InvalidSignatureError:
                    continue  # of a token that names no key: another secret's, perhaps
        except jwt.ExpiredSignatureError as error:
            raise TokenBackendExpiredToken("The token has expired.") from error
        except jwt.InvalidTokenError as error:
            raise TokenBackendError("The token is not valid.") from error
        raise TokenBackendError("The token is not ours.")

    def _verified(self, token: str, key: Any, algorithms: tuple[str, ...]) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=algorithms,
            audience=settings.JWT_AUDIENCE,
            issuer=settings.JWT_ISSUER,
            # Another machine's clock may be a little ahead; when a token was made decides nothing.
            options={"require": _REQUIRED, "verify_iat": False, "strict_aud": True},
        )
        return claims

    def get_leeway(self) -> timedelta:
        return timedelta()


def _verifiers(token: str) -> Iterator[Verifier]:
    """The keys that may have signed the token. Raises jwt.InvalidTokenError for what is no token."""
    kid = jwt.get_unverified_header(token).get("kid")
    secrets = list(settings.JWT_PREVIOUS_SECRET_KEYS)
    if settings.JWT_ALGORITHM in SECRET_ALGORITHMS:
        secrets.insert(0, settings.JWT_SECRET_KEY)
    if kid is None or kid.startswith("hs-"):
        for secret in secrets:
            if kid is None or kid == secret_id(secret):
                yield secret, SECRET_ALGORITHMS
    elif (key := signing_keys.verifying(kid)) is not None:
        yield key.public, (signing_keys.ALGORITHM,)


def secret_id(secret: str) -> str:
    """How a token's header names the shared secret that signed it."""
    return "hs-" + hashlib.sha256(b"gatehouse/kid:" + secret.encode()).hexdigest()[:12]


_backend = Backend()


class AccessToken(simplejwt.AccessToken):
    def get_token_backend(self) -> TokenBackend:
        return _backend


class RefreshToken(simplejwt.RefreshToken):
    access_token_class = AccessToken

    def get_token_backend(self) -> TokenBackend:
        return _backend


def jwks() -> dict[str, Any]:
    """The public keys that verify our tokens (RFC 7517, section 5); none where a shared secret signs."""
    keys = []
    for key in signing_keys.published():
        public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public, as_dict=True)
        keys.append(
            {
                "kty": "RSA",
                "use": "sig",
                "alg": signing_keys.ALGORITHM,
                "kid": key.kid,
                "n": public["n"],
                "e": public["e"],
            }
        )
    return {"keys": keys}
