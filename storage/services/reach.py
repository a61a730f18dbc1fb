"""Which addresses a tenant may name as a backend: public ones. Whatever is private, this machine above all, trusts who
reaches it, so platform staff name such backends (`Backend.may_be_private`).

What a name resolves to is looked at when it is given, and again whenever it is dialled (`storage.providers.dialling`).
"""

from __future__ import annotations

from gateway.outside import addresses, is_public


def is_private(host: str) -> bool:
    """Whether a host has an address that is not public. One that does not resolve is not private yet."""
    return not all(map(is_public, addresses(host)))
