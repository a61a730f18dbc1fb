"""Where the processes' lines go: a terminal or file, each line with its process's name before it or, as JSON, in it."""

import contextlib
import json
import os
import sys
from datetime import UTC, datetime
from typing import TextIO

COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)
WIDTH = 9


class Console:
    """Writes prefixed lines; colours only on a terminal without NO_COLOR; a closed terminal is no error."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._colour = (
            self._out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )
        self._known: dict[str, int] = {}
        self._gone = False
        self.as_json = False

    def line(self, name: str, text: str) -> None:
        """One line of the process `name`; as JSON, what is an object already is passed on as it is."""
        if self.as_json:
            self.plain(text if text.startswith("{") and text.endswith("}") else _object(name, text))
            return
        label = f"{name:<{WIDTH}}|"
        if self._colour:
            number = self._known.setdefault(name, len(self._known))
            label = f"\x1b[{COLOURS[number % len(COLOURS)]}m{label}\x1b[0m"
        self.plain(f"{label} {text}")

    def say(self, text: str) -> None:
        """One line of the supervisor itself."""
        self.line("gatehouse", text)

    def banner(self, text: str) -> None:
        """Text for a person; as JSON, line by line."""
        if not self.as_json:
            self.plain(text)
            return
        for line in text.splitlines():
            if line.strip():
                self.say(line.strip())

    def plain(self, text: str) -> None:
        """Text as it is."""
        if self._gone:
            return
        try:
            self._out.write(text + "\n")
            self._out.flush()
        except (OSError, ValueError):
            self._gone = True  # the terminal was closed; the signal that says so ends us in order
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())


def _object(name: str, text: str) -> str:
    """A line of a program that does not write JSON (PostgreSQL, Valkey), in the form of `gateway.logs`."""
    told = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": "INFO",
        "logger": name,
        "message": text,
        "request_id": "-",
        "process": name,
    }
    return json.dumps(told, ensure_ascii=False)
