"""The environment of an instance: the `.env` file with its generated secrets, and what processes get."""

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from gateway import env
from gateway.supervisor.errors import Refusal
from gateway.supervisor.home import explain, write_private

# What a supervisor was started with that its children must not inherit.
WITHHELD = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONDONTWRITEBYTECODE",
    "VIRTUAL_ENV",
    "MAKEFLAGS",
    "MAKELEVEL",
    "MFLAGS",
)

HEADER = """\
# Made at the first start of this instance. Keep it secret and keep a copy: without
# GATEHOUSE_ENCRYPTION_KEYS stored credentials cannot be read again. What is set in the real
# environment wins over this file. docs/operations.md lists every name.
"""


def fresh_secrets() -> dict[str, str]:
    """New values of every secret that an instance cannot do without."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "JWT_SECRET_KEY": secrets.token_urlsafe(48),
        "INTROSPECT_SECRET": secrets.token_urlsafe(32),
        "GATEHOUSE_ENCRYPTION_KEYS": f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
    }


def given(name: str) -> bool:
    """Whether a setting stands in the environment, itself or as the path of a file."""
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def load(path: Path, defaults: Mapping[str, str]) -> None:
    """Put the `.env` at `path` into our environment, first completed with the secrets that are missing."""
    try:
        values = env.parse_env_file(path)
    except env.EnvError as error:
        raise Refusal(f"{error}: correct the line, or remove the file to have a new one made") from error
    unset = {name: value for name, value in defaults.items() if not os.environ.get(name)}
    unset |= {name: value for name, value in fresh_secrets().items() if not given(name)}
    missing = {
        name: value for name, value in unset.items() if not (values.get(name) or values.get(f"{name}_FILE"))
    }
    if missing:
        try:
            before = path.read_text(encoding="utf-8") if path.exists() else HEADER
            lines = "".join(f"{name}={value}\n" for name, value in missing.items())
            write_private(path, before + ("" if before.endswith("\n") else "\n") + lines)
        except OSError as error:
            raise Refusal(explain(error, path.parent)) from error
    for name, value in {**values, **missing}.items():
        os.environ.setdefault(name, value)


def of_processes(home: Path, services: Mapping[str, str]) -> dict[str, str]:
    """What a process of the instance is started with: our environment, the services' URLs, no `.env`."""
    inherited = {name: value for name, value in os.environ.items() if name not in WITHHELD}
    return {
        **inherited,
        **services,
        "GATEHOUSE_HOME": str(home),
        "GATEHOUSE_ENV_FILE": os.devnull,
        "PYTHONUNBUFFERED": "1",
    }
