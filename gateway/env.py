"""Typed readers of the environment that fail loudly, and the `.env` file behind them.

Standard library only: the supervisor reads the same file before anything is installed.
A secret may also be given as NAME_FILE, the path of a file that holds it (as container secrets are mounted).
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

PROJECT = Path(__file__).resolve().parent.parent
_LINE = re.compile(r"^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$")
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


class EnvError(Exception):
    """A variable or a line of the `.env` file that cannot be used; the text says which and why."""


def env_file() -> Path:
    """The `.env` in use: GATEHOUSE_ENV_FILE, else in the home where one is named, else in the project's root."""
    if named := os.environ.get("GATEHOUSE_ENV_FILE"):
        return Path(named)
    if home := os.environ.get("GATEHOUSE_HOME"):
        return Path(home).absolute() / ".env"
    return PROJECT / ".env"


def parse_env_file(path: Path) -> dict[str, str]:
    """NAME=value lines of `path` (absent = empty). Values may be quoted; `#` starts a comment line.

    Raises EnvError naming file and line for anything else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as e:
        raise EnvError(f"{path} cannot be read: {e}") from e
    values: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.match(line)
        if not match:
            raise EnvError(f"{path}, line {number}: expected NAME=value")
        value = match[2].strip()
        if value[:1] in ("'", '"'):
            if len(value) < 2 or value[-1] != value[0]:
                raise EnvError(f"{path}, line {number}: the quote is not closed")
            value = value[1:-1]
        values[match[1]] = value
    return values


def load_env_file() -> None:
    """Put the `.env` file's values into the environment; what is already set there wins."""
    for name, value in parse_env_file(env_file()).items():
        os.environ.setdefault(name, value)


def secret(name: str, default: str = "") -> str:
    """A text from NAME or from the file that NAME_FILE names (its trailing newline is dropped)."""
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as e:
            raise EnvError(f"{name}_FILE: {path} cannot be read: {e}") from e
    return os.environ.get(name, default)


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default)


def choice(name: str, default: str, allowed: Sequence[str], *, upper: bool = False) -> str:
    value = os.environ.get(name) or default
    value = value.upper() if upper else value
    if value not in allowed:
        raise EnvError(f"{name}={value!r} is none of {', '.join(allowed)}")
    return value


def flag(name: str, default: bool = False) -> bool:
    raw = os.environ.get(name)
    if raw is None:
        return default
    if raw.strip().lower() in _TRUE:
        return True
    if raw.strip().lower() in _FALSE:
        return False
    raise EnvError(f"{name}={raw!r} is neither true nor false")


def integer(name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
    raw = os.environ.get(name)
    if raw is None or raw == "":
        return default
    try:
        value = int(raw)
    except ValueError:
        raise EnvError(f"{name}={raw!r} is not a whole number") from None
    if value < least or (most is not None and value > most):
        raise EnvError(f"{name}={value} is outside {least}..{'∞' if most is None else most}")
    return value


_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def size(name: str, default: int) -> int:
    """Bytes; `64M`, `5G` and `5GiB` are understood (powers of 1,024)."""
    raw = os.environ.get(name)
    return parse_size(name, raw) if raw else default


def parse_size(name: str, raw: str) -> int:
    """What `size` understands; `name` is what an EnvError calls it."""
    match = re.fullmatch(r"(\d+)\s*([kmgt]?)(?:i?b)?", raw.strip().lower())
    if not match:
        raise EnvError(f"{name}={raw!r} is not a size such as 64M or 5G")
    return int(match[1]) * _UNITS[match[2]]


def ports(name: str, default: str) -> range:
    """Ports `first-last`, from 1 to 65535, both included."""
    raw = os.environ.get(name) or default
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", raw.strip())
    if not match or not 1 <= int(match[1]) <= int(match[2]) <= 65535:
        raise EnvError(f"{name}={raw!r} is not a range of ports such as {default}")
    return range(int(match[1]), int(match[2]) + 1)


def subnet(name: str) -> ipaddress.IPv4Network | None:
    """A private IPv4 network of /16 to /28, or None where nothing is said."""
    raw = os.environ.get(name, "").strip()
    if not raw:
        return None
    try:
        found = ipaddress.IPv4Network(raw)
    except ValueError as e:
        raise EnvError(f"{name}={raw!r} is not a network such as 10.213.0.0/16") from e
    if not found.is_private or not 16 <= found.prefixlen <= 28:
        raise EnvError(f"{name}={raw!r} is not a private network of /16 to /28")
    return found


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list; white space around the parts is dropped."""
    return [w.strip() for w in os.environ.get(name, default).split(",") if w.strip()]


def pairs(name: str) -> dict[str, str]:
    """A comma-separated list of `key=value`. Raises EnvError for anything else, and for a key that comes twice."""
    found: dict[str, str] = {}
    for word in words(name):
        key, equals, value = (part.strip() for part in word.partition("="))
        if not (key and equals and value) or key in found:
            raise EnvError(f"{name}: {word!r} is not key=value, or its key comes twice")
        found[key] = value
    return found


def database(url: str, name: str) -> dict[str, str]:
    """Django's connection settings of a `postgresql://user:password@host:port/name` URL.

    A socket folder may stand as `?host=/run/postgresql`. Raises EnvError, never echoing the password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise EnvError(f"{name} is not of the form postgresql://user:password@host:port/database")
    query = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    return {
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(query.get("host", parts.hostname or "")),
        "PORT": str(parts.port or ""),
    }


@dataclass(frozen=True)
class Mail:
    """How e-mail leaves: `folder` is of files, all else of an SMTP server."""

    backend: str
    folder: str = ""
    host: str = ""
    port: int = 25
    user: str = ""
    password: str = field(default="", repr=False)
    starttls: bool = False
    tls: bool = False


def mail(folder: str) -> Mail:
    """From EMAIL_URL, else from EMAIL_HOST and its like; with neither, e-mails become files in `folder`.

    EMAIL_URL is `smtp://user:password@host:port`, `smtp+tls://` (STARTTLS), `smtps://`, `file:///folder` or `console:`.
    Raises EnvError, never echoing the password.
    """
    url, host = secret("EMAIL_URL"), text("EMAIL_HOST")
    if not url and host:
        starttls, tls = flag("EMAIL_USE_TLS"), flag("EMAIL_USE_SSL")
        if starttls and tls:
            raise EnvError("EMAIL_USE_TLS and EMAIL_USE_SSL exclude each other")
        port = integer("EMAIL_PORT", 465 if tls else 587 if starttls else 25, least=1, most=65535)
        user, password = text("EMAIL_HOST_USER"), secret("EMAIL_HOST_PASSWORD")
        return Mail(_SMTP, "", host, port, user, password, starttls, tls)
    parts = urlsplit(url or f"file://{folder}")
    if parts.scheme == "console":
        return Mail("django.core.mail.backends.console.EmailBackend")
    if parts.scheme == "file" and parts.path.startswith("/"):
        return Mail("django.core.mail.backends.filebased.EmailBackend", unquote(parts.path))
    if parts.scheme in _MAIL_PORTS and parts.hostname:
        try:
            port = parts.port or _MAIL_PORTS[parts.scheme]
        except ValueError:
            raise EnvError("EMAIL_URL has a port that is none") from None
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        starttls, tls = parts.scheme == "smtp+tls", parts.scheme == "smtps"
        return Mail(_SMTP, "", parts.hostname, port, user, password, starttls, tls)
    raise EnvError("EMAIL_URL is none of smtp://, smtp+tls://, smtps://, file:///folder and console:")


_SMTP = "django.core.mail.backends.smtp.EmailBackend"
_MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
