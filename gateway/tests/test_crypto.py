"""Secrets at rest."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator

import pytest
from django.core.exceptions import ImproperlyConfigured

from gateway import crypto


def pair(key_id: str) -> str:
    return f"{key_id}:{base64.b64encode(os.urandom(32)).decode()}"


@pytest.fixture(autouse=True)
def _forget_keys() -> Iterator[None]:
    crypto._keys.cache_clear()
    yield
    crypto._keys.cache_clear()


def test_what_is_sealed_opens_only_in_its_place(settings) -> None:
    settings.ENCRYPTION_KEYS = pair("a")
    sealed = crypto.seal(b"secret", b"row:1")
    assert crypto.open_sealed(sealed, b"row:1") == b"secret"
    assert b"secret" not in sealed
    for altered, aad in (
        (sealed, b"row:2"),
        (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"row:1"),
        (b"", b"row:1"),
    ):
        with pytest.raises(crypto.CannotOpen):
            crypto.open_sealed(altered, aad)


def test_an_old_key_still_opens_after_rotation(settings) -> None:
    old, new = pair("old"), pair("new")
    settings.ENCRYPTION_KEYS = old
    sealed = crypto.seal(b"secret", b"x")
    settings.ENCRYPTION_KEYS = f"{new},{old}"
    crypto._keys.cache_clear()
    assert crypto.open_sealed(sealed, b"x") == b"secret"
    assert crypto.key_of(crypto.seal(b"secret", b"x")) == "new"
    settings.ENCRYPTION_KEYS = new
    crypto._keys.cache_clear()
    with pytest.raises(crypto.CannotOpen, match="not configured"):
        crypto.open_sealed(sealed, b"x")


@pytest.mark.parametrize("keys", ["", "nonsense", "a:c2hvcnQ=", ":" + base64.b64encode(bytes(32)).decode()])
def test_unusable_keys_are_refused(settings, keys: str) -> None:
    settings.ENCRYPTION_KEYS, settings.TENANT_SECRET_PASSPHRASE = keys, ""
    with pytest.raises(ImproperlyConfigured):
        crypto.seal(b"secret", b"x")
