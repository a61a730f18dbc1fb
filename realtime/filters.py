"""Which events a reader asked for: `channels=` and `types=`, comma-separated, both optional."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.errors import Invalid

CHANNELS = ("files", "storage", "workspaces", "devices", "gateway", "tenants", "system")
MOST = 50
_WORD = "[a-z0-9_-]{1,40}"
_TYPE = re.compile(rf"({_WORD})\.(?:\*|{_WORD}\.(?:\*|{_WORD}))")


@dataclass(frozen=True, slots=True)
class Filter:
    """An event passes with its channel among `channels` and its type among `types` or below a prefix.

    What is empty lets everything pass.
    """

    channels: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    def matches(self, kind: str) -> bool:
        if self.channels and kind.partition(".")[0] not in self.channels:
            return False
        if self.types or self.prefixes:
            return kind in self.types or kind.startswith(self.prefixes)
        return True

    @property
    def patterns(self) -> tuple[str, str]:
        """The same as two regular expressions over the type, for PostgreSQL; '' matches everything."""
        channels = "|".join(map(re.escape, self.channels))
        types = [re.escape(t) + "$" for t in self.types] + [re.escape(p) for p in self.prefixes]
        return (f"^({channels})\\." if channels else "", f"^({'|'.join(types)})" if types else "")


def parse(channels: str = "", types: str = "") -> Filter:
    """The filter of a query string. Raises Invalid, which names the word that is none."""
    named, asked = _words("channels", channels), _words("types", types)
    for channel in named:
        _check_channel("channels", channel)
    for word in asked:
        match = _TYPE.fullmatch(word)
        if match is None:
            raise _invalid(
                "types", f"{word!r} is not a type; write one like storage.object.created or storage.*"
            )
        _check_channel("types", match[1])
    exact = tuple(t for t in asked if not t.endswith("*"))
    return Filter(named, exact, tuple(t[:-1] for t in asked if t.endswith("*")))


def _words(field: str, text: str) -> tuple[str, ...]:
    words = sorted({word.strip() for word in text.split(",")} - {""})
    if len(words) > MOST:
        raise _invalid(field, f"more than {MOST} are named")
    return tuple(words)


def _check_channel(field: str, channel: str) -> None:
    if channel not in CHANNELS:
        raise _invalid(field, f"{channel!r} is not a channel; there are {', '.join(CHANNELS)}")


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(f"{field}: {message}.", errors={field: [message]})
