"""Requests of the platform to its own S3 door: whom their client trusts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gateway import trust
from gateway.edge import ca
from storage.services import own_requests


def test_an_authority_that_was_made_anew_is_read_again(settings: Any, tmp_path: Path) -> None:
    settings.HOME = tmp_path
    assert trust.own_authority_since() == 0
    ca.ensure(tmp_path, ["localhost"])
    first = trust.own_authority_since()
    client = own_requests._client(first)
    assert own_requests._client(trust.own_authority_since()) is client
    (tmp_path / "ca.crt").unlink()
    ca.ensure(tmp_path, ["localhost"])
    os.utime(tmp_path / "ca.crt", (first + 1, first + 1))
    assert own_requests._client(trust.own_authority_since()) is not client
