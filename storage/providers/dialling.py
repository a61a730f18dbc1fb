"""Which addresses of a backend are dialled: those that were looked at, never what the name means a moment later."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.outside import addresses, is_public


class NotDialled(Exception):
    """There is no address to dial; the text says why."""


def vetted(host: str, *, may_be_private: bool) -> Sequence[str]:
    """The addresses of a host that may be dialled, at least one. Blocks while the name is resolved (3 s at most).

    Without `may_be_private` those that are not public are left out: a tenant's name would lead into the platform's
    own network. Raises NotDialled.
    """
    return allowed(host, addresses(host.strip("[]")), may_be_private=may_be_private)


def allowed(host: str, found: Sequence[str], *, may_be_private: bool) -> Sequence[str]:
    """Those that may be dialled of the addresses that were found of a host. Raises as `vetted`."""
    if not found:
        raise NotDialled(f"there is no host {host} (its name does not resolve)")
    left = found if may_be_private else [address for address in found if is_public(address)]
    if not left:
        raise NotDialled(
            f"{host} is {found[0]}, which is not a public address: only platform staff name such a backend"
        )
    return left
