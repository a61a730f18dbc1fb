"""The platform's data path as it runs: a real Caddy, the decision process, web and live over a database of their own.

`stack` is one for the whole session and shared by all who ask for it, so tests make tenants and buckets of their
own (`stack.tenant()`) and never count what others made. It is started when first asked for.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from botocore.config import Config
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from pytest_django.plugin import DjangoDbBlocker

from gateway.db.scope import tenant_scope
from storage.services import access_keys, backends, buckets, placements
from tenants.models import Tenant
from tenants.principal import Principal

from . import aws, database, factories
from .ports import free_ports

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


class Process:
    """A child whose output goes to a file; `ready` says when it serves."""

    def __init__(self, name: str, home: Path, environment: dict[str, str], *command: str | Path) -> None:
        self.name, self.log = name, home / f"{name}.log"
        self._environment, self._command = environment, command
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._child
        return self._child.pid

    def start(self, ready: Callable[[], bool], *, patience: float = 60) -> None:
        self.begin()
        self.wait(ready, patience=patience)

    def begin(self) -> None:
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def wait(self, ready: Callable[[], bool], *, patience: float = 60) -> None:
        """Until it serves. Raises RuntimeError where it ends instead, or takes longer."""
        assert self._child
        end = time.monotonic() + patience
        while not ready():
            if self._child.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{self.name} did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def terminate(self) -> None:
        if self._child is not None:
            self._child.terminate()

    def stop(self) -> None:
        if self._child is None:
            return
        self.terminate()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait(5)


@dataclass(frozen=True)
class Account:
    """A member of a tenant with an S3 access key."""

    stack: Stack
    who: Principal
    key_id: str
    secret: str

    @property
    def slug(self) -> str:
        return self.who.tenant.slug

    @property
    def environment(self) -> dict[str, str]:
        """For command-line clients."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RCLONE_"))},
            "AWS_ACCESS_KEY_ID": self.key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "*",
        }

    def s3(self, *, https: bool = False, **config: Any) -> Any:
        """A boto3 client with its default settings."""
        options: dict[str, Any] = {"retries": {"max_attempts": 1}, "proxies": {}}
        options["s3"] = {"addressing_style": "path"}
        return aws.client(
            "s3",
            endpoint_url=(self.stack.https_url if https else self.stack.url) + "/s3",
            region_name="us-east-1",
            aws_access_key_id=self.key_id,
            aws_secret_access_key=self.secret,
            verify=str(self.stack.ca) if https else None,
            config=Config(**(options | config)),
        )

    def bucket(self, name: str = "docs", *, backend: str | None = None, **options: Any) -> str:
        """Make a bucket, also on its backend, and return its name."""
        with self.stack.database(), tenant_scope(self.who.tenant.pk):
            made = buckets.create_bucket(name, backend=backend, actor=self.who, **options)
            placement = placements.reconcile(made.placement.pk)
            assert placement is None or placement.is_settled, placement.error
        return name


class Stack:
    """The edge, decision, web and live in one home, on a database that no other test touches."""

    def __init__(self, home: Path, blocker: DjangoDbBlocker) -> None:
        self.home, self._blocker = home, blocker
        self.port, self.https_port = free_ports(2)
        self.name = f"stack_{os.getpid()}"
        self.environment = {
            **os.environ,
            "DATABASE_URL": self._renamed(os.environ["DATABASE_URL"]),
            "DATABASE_OWNER_URL": self._renamed(os.environ["DATABASE_OWNER_URL"]),
            "GATEHOUSE_ENV": "development",
            "GATEHOUSE_HOME": str(home),
            "GATEHOUSE_ENV_FILE": os.devnull,
            "GATEHOUSE_HTTP_PORT": str(self.port),
            "GATEHOUSE_HTTPS_PORT": str(self.https_port),
            "EDGE_FRONT": "1",
            "PUBLIC_BASE_URL": f"http://127.0.0.1:{self.port}",
            "API_RATE_LIMIT": "0",  # tests come from one address
            "AUTH_RATE_LIMIT": "0",
            "S3_RATE_LIMIT": "0",
            "MCP_RATE_LIMIT": "0",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "default",
        }
        self._processes: dict[str, Process] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def https_url(self) -> str:
        return f"https://127.0.0.1:{self.https_port}"

    @property
    def ca(self) -> Path:
        """The certificate that clients of `https_url` must trust."""
        return self.home / "ca.crt"

    def process(self, name: str) -> Process:
        return self._processes[name]

    def start(self) -> None:
        (self.home / "run").mkdir(mode=0o700)
        with self._blocker.unblock():
            database.make(self.name)
        first = {"BOOTSTRAP_ADMIN_USERNAME": "root-of-all", "BOOTSTRAP_ADMIN_PASSWORD": factories.PASSWORD}
        with self.database(), override_settings(**first):
            call_command("bootstrap", stdout=StringIO())
        uvicorn = [
            "-m",
            "uvicorn",
            "--timeout-keep-alive",
            "120",
            "--loop",
            "uvloop",
            "--no-access-log",
            "--log-level",
            "warning",
        ]
        decision = ["--http", "gateway.decision.protocol:EdgeProtocol", "gateway.decision.app:app"]
        ready = [
            self._begin_python(
                "decision", *uvicorn, "--ws", "none", "--no-proxy-headers", *decision, "--uds"
            ),
            self._begin_python(
                "live", *uvicorn, "--ws", "websockets-sansio", "gateway.asgi:application", "--uds"
            ),
            self._begin_web("web"),
        ]
        self._run("-m", "gateway.edge")
        caddy = self._begin("caddy", BIN / "caddy", "run", "--config", self.home / "run" / "caddy.json")
        front = self._begin("front", sys.executable, "-m", "gateway.edge.front")
        for wait in ready:
            wait()
        caddy.wait(lambda: listens(str(self.home / "run" / "plain.sock")))
        front.wait(lambda: listens(("127.0.0.1", self.port)))

    def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in reversed(self._processes.values()):
            process.stop()
        database.drop(self.name)

    @contextmanager
    def database(self) -> Iterator[None]:
        """Within the block Django's connection in this process is to the stack's database."""
        with self._blocker.unblock():
            connection.close()
            before, connection.settings_dict["NAME"] = connection.settings_dict["NAME"], self.name
            try:
                yield
            finally:
                connection.close()
                connection.settings_dict["NAME"] = before

    def account(self, role: str = "admin", *, tenant: Tenant | None = None) -> Account:
        """A new member, of a new tenant unless one is given, with a key."""
        with self.database():
            who = factories.member(tenant or factories.tenant(f"t{uuid4().hex[:12]}"), role)
            return self.key_of(who)

    def key_of(self, who: Principal) -> Account:
        """One more access key of a member. Call within `database()`."""
        with tenant_scope(who.tenant.pk):
            key, secret = access_keys.issue_access_key("tests", actor=who)
        return Account(self, who, key.access_key_id, secret)

    def remote_backend(self, name: str, endpoint: str, **options: Any) -> str:
        """A backend that all tenants may use; returns its name."""
        fields = {"region": "us-east-1", "access_key": "remote-key", "secret_key": "remote-secret"}
        with self.database():
            backends.create_backend(
                name, endpoint=endpoint, shared=True, actor=factories.staff(), **(fields | options)
            )
        return name

    @contextmanager
    def another_web(self, name: str = "web2") -> Iterator[str]:
        """A second web process, which the edge does not know, on the socket of that name."""
        self._begin_web(name)()
        try:
            yield name
        finally:
            self._processes.pop(name).stop()

    def _begin_web(self, name: str) -> Callable[[], None]:
        granian = ["-m", "granian", "--interface", "wsgi", "--workers", "1", "--blocking-threads", "4"]
        return self._begin_python(
            name, *granian, "--log-level", "warning", "gateway.wsgi:application", "--uds"
        )

    def _begin_python(self, name: str, *arguments: str) -> Callable[[], None]:
        """Begin what listens on the socket of that name; what to call to wait for it."""
        path = self.home / "run" / f"{name}.sock"
        process = self._begin(name, sys.executable, *arguments, str(path))
        return lambda: process.wait(lambda: listens(str(path)))

    def _begin(self, name: str, *command: str | Path) -> Process:
        process = self._processes[name] = Process(name, self.home, self.environment, *command)
        process.begin()
        return process

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")

    def _renamed(self, url: str) -> str:
        return urlunsplit(urlsplit(url)._replace(path=f"/{self.name}"))


def listens(address: str | tuple[str, int]) -> bool:
    """Whether somebody accepts connections there."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as probe:
        return probe.connect_ex(address) == 0


@pytest.fixture(scope="session")
def stack(
    tmp_path_factory: pytest.TempPathFactory,
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Stack]:
    """The running platform, shared by all tests of the session."""
    made = Stack(tmp_path_factory.mktemp("s"), django_db_blocker)
    try:
        made.start()
        yield made
    finally:
        made.stop()
