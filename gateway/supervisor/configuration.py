"""What the supervisor itself needs to know of an instance's settings."""

import os
from dataclasses import dataclass
from pathlib import Path

from gateway import env
from gateway.supervisor import environment as environments
from gateway.supervisor.errors import Refusal


@dataclass(frozen=True)
class Configuration:
    """Read from the environment after the `.env` was put into it."""

    home: Path
    http_port: int
    https_port: int
    base_url: str
    mode: str

    @property
    def development(self) -> bool:
        return self.mode == "development"


def home_path(root: Path) -> Path:
    """The data folder: GATEHOUSE_HOME, or `var` in the project."""
    return Path(os.environ.get("GATEHOUSE_HOME") or root / "var").absolute()


def load(root: Path) -> Configuration:
    """Read the `.env` (made or completed where secrets are missing), and say what the settings come to."""
    home = home_path(root)
    file = env.env_file()
    environments.load(file, {"GATEHOUSE_ENV": "development"})
    try:
        http = env.integer("GATEHOUSE_HTTP_PORT", 8080, least=1, most=65535)
        https = env.integer("GATEHOUSE_HTTPS_PORT", 8443, least=1, most=65535)
    except env.EnvError as error:
        raise Refusal(f"{error}: correct it in {file} or in the environment") from error
    mode = env.text("GATEHOUSE_ENV", "development")
    if mode not in ("development", "production"):
        raise Refusal(f"GATEHOUSE_ENV={mode} is neither development nor production: correct it in {file}")
    base = env.text("PUBLIC_BASE_URL", f"http://localhost:{http}").rstrip("/")
    return Configuration(home, http, https, base, mode)
