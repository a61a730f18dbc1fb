"""Codes of an authenticator app: RFC 6238 with SHA-1, six digits and steps of 30 seconds, which all apps know."""

from __future__ import annotations

import pyotp
from pyotp.exceptions import OTPVerificationError

ISSUER = "Gatehouse"
_WINDOW = 1  # steps before and after: clocks differ, and typing takes a while (RFC 6238, section 5.2)


def new_secret() -> str:
    """160 random bits in base32 (RFC 4226, section 4)."""
    return pyotp.random_base32()


def uri(secret: str, account: str, host: str) -> str:
    """The `otpauth:` address that apps scan; it holds the secret."""
    return pyotp.TOTP(secret).provisioning_uri(name=f"{account}@{host}", issuer_name=ISSUER)


def step_of(secret: str, code: str, *, after: int) -> int | None:
    """The time step whose code this is, if it is about now and later than the step `after`, which was used."""
    digits = "".join(code.split())
    if not (digits.isascii() and digits.isdecimal() and len(digits) == 6):
        return None
    try:
        step: int = pyotp.TOTP(secret).verify_and_get_timecode(digits, valid_window=_WINDOW)
    except OTPVerificationError:
        return None
    return step if step > after else None
