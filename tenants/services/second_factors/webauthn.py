"""Security keys: WebAuthn Level 2, as something beside the password (no user verification, no passkeys)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import webauthn as library
from django.conf import settings
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from tenants.models import SecondFactor, User

_NAME = "Gatehouse"
_SECONDS = 120
_SELECTION = AuthenticatorSelectionCriteria(
    resident_key=ResidentKeyRequirement.DISCOURAGED,
    user_verification=UserVerificationRequirement.DISCOURAGED,
)


@dataclass(frozen=True, slots=True)
class NewKey:
    """What is kept of a security key."""

    credential_id: bytes
    public_key: bytes
    counter: int
    transports: list[str]


def new_challenge() -> bytes:
    return secrets.token_bytes(32)


def origin() -> str:
    """The one origin whose pages may ask keys: that of PUBLIC_BASE_URL, whose host is the relying party's id."""
    parts = urlsplit(settings.PUBLIC_BASE_URL.lower())
    implied = {"http": ":80", "https": ":443"}.get(parts.scheme, " ")
    return f"{parts.scheme}://{parts.netloc.removesuffix(implied)}"  # as browsers write it


def creation_options(user: User, challenge: bytes, known: Iterable[SecondFactor]) -> dict[str, Any]:
    """For `navigator.credentials.create` (section 5.4), as JSON with base64url."""
    options = library.generate_registration_options(
        rp_id=settings.PUBLIC_HOST,
        rp_name=_NAME,
        user_id=user.public_id.bytes,
        user_name=user.username,
        challenge=challenge,
        timeout=_SECONDS * 1000,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=_SELECTION,
        exclude_credentials=_descriptors(known),
    )
    return dict(json.loads(library.options_to_json(options)))


def request_options(challenge: bytes, known: Iterable[SecondFactor]) -> dict[str, Any]:
    """For `navigator.credentials.get` (section 5.5), as JSON with base64url."""
    options = library.generate_authentication_options(
        rp_id=settings.PUBLIC_HOST,
        challenge=challenge,
        timeout=_SECONDS * 1000,
        allow_credentials=_descriptors(known),
        user_verification=UserVerificationRequirement.DISCOURAGED,
    )
    return dict(json.loads(library.options_to_json(options)))


def created(credential: dict[str, Any], challenge: bytes) -> NewKey | None:
    """The key whose answer to `creation_options` this is (section 7.1); None for anything else."""
    try:
        found = library.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=settings.PUBLIC_HOST,
            expected_origin=origin(),
        )
    except _NOT_ONE:
        return None
    told = credential.get("response", {}).get("transports", [])
    known = {each.value for each in AuthenticatorTransport}
    transports = sorted(known & {t for t in told if isinstance(t, str)}) if isinstance(told, list) else []
    return NewKey(found.credential_id, found.credential_public_key, found.sign_count, transports)


def named(credential: dict[str, Any]) -> bytes:
    """The credential's id as the browser tells it; empty for what is none."""
    given = credential.get("id")
    try:
        return library.base64url_to_bytes(given) if isinstance(given, str) else b""
    except ValueError:
        return b""


def counter_of(credential: dict[str, Any], challenge: bytes, factor: SecondFactor) -> int | None:
    """The signature counter of a right answer to `request_options` (section 7.2); None for anything else.

    A counter that does not rise means a copied key, and is refused (section 6.1.1).
    """
    assert factor.public_key is not None
    try:
        found = library.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=settings.PUBLIC_HOST,
            expected_origin=origin(),
            credential_public_key=bytes(factor.public_key),
            credential_current_sign_count=factor.counter,
        )
    except _NOT_ONE:
        return None
    return found.new_sign_count


# What a made-up answer makes the library raise, which parses before it checks.
_NOT_ONE = (WebAuthnException, ValueError, TypeError, KeyError, AttributeError)


def _descriptors(factors: Iterable[SecondFactor]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=bytes(factor.credential_id or b""),
            transports=[AuthenticatorTransport(t) for t in factor.transports] or None,
        )
        for factor in factors
        if factor.kind == SecondFactor.Kind.WEBAUTHN
    ]
