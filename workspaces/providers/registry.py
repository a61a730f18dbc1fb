"""Which providers there are, and which one a new instance gets."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from django.utils.module_loading import import_string

from gateway.errors import Invalid
from gateway.errors import Unavailable as Away

from .base import Availability, Capability, Provider

PATHS: dict[str, str] = {
    "docker": "workspaces.providers.docker.DockerProvider",
    "process": "workspaces.providers.process.ProcessProvider",
}
"""Name → class, imported when it is first asked for; the first that is available is the default."""

MADE: dict[str, Provider] = {}
_KEPT_SECONDS = 5.0
_found: dict[str, tuple[float, Availability]] = {}
_making = threading.Lock()


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider as it is shown to people."""

    name: str
    availability: Availability
    capabilities: frozenset[Capability]


def provider(name: str) -> Provider:
    """The process's one provider of that name. KeyError for a name that there is not."""
    with _making:
        if name not in MADE:
            MADE[name] = import_string(PATHS[name])()
        return MADE[name]


def names() -> list[str]:
    """All, the default's first choice first."""
    return list(dict.fromkeys((*PATHS, *MADE)))


def availability(name: str) -> Availability:
    """Whether the provider can be used, as of a few seconds ago at most."""
    at, found = _found.get(name, (0.0, None))
    if found is None or time.monotonic() - at > _KEPT_SECONDS:
        try:
            found = provider(name).availability()
        except ImportError as e:
            found = Availability(False, f"{e.name or name} is not installed.")
        _found[name] = time.monotonic(), found
    return found


def offered() -> list[Offer]:
    """Every provider, also those that cannot be used now."""
    offers = []
    for name in names():
        found = availability(name)
        able = provider(name).capabilities if found.ok or name in MADE else frozenset[Capability]()
        offers.append(Offer(name, found, able))
    return offers


def usable() -> list[str]:
    """The names of those that can be used now."""
    return [name for name in names() if availability(name).ok]


def choose(wanted: str = "", *, able: frozenset[Capability] = frozenset()) -> str:
    """The name of the provider for something new: the one wanted, else the first that can be used.

    `able`: what it must be able to do. Raises Invalid for a name that there is not or one that cannot do it,
    Unavailable (code `no_provider`) with the reason where none can be used.
    """
    if wanted and wanted not in names():
        raise Invalid(f"There is no provider {wanted}.", errors={"provider": ["Unknown."]})
    reasons = []
    for name in [wanted] if wanted else names():
        found = availability(name)
        if not found.ok:
            reasons.append(f"{name}: {found.reason}")
        elif missing := able - provider(name).capabilities:
            reasons.append(f"{name}: it has no {', '.join(sorted(missing))}.")
        else:
            return name
    raise Away("Nothing can run here now. " + " ".join(reasons), code="no_provider")
