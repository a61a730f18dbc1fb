"""The whole platform as a user has it: `up` in a home of its own, under its supervisor, and callers of it.

For tests that need what restarts what, the worker or durable services, and for benchmarks. Tests of the data
path alone are better served by `tests.stack`, which starts quicker and lets them look into its database.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
from botocore.config import Config

from gateway.supervisor import engine, sessions
from gateway.supervisor.child import die_with_parent

from . import aws
from .ports import free_ports

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[1]
ADMIN = ("root-of-all", "Seven-blue-lanterns-31415926")
PASSWORD = "Green-otters-sing-271828"
START_SECONDS = 180.0
STOP_SECONDS = 30.0

# What a run of tests has in its environment and an instance of its own must not see.
_FOREIGN = (
    *("DATABASE_", "REDIS_", "GATEHOUSE_", "BOOTSTRAP_", "S3_", "JWT_", "SECRET_KEY", "INTROSPECT_"),
    *("METRICS_", "PUBLIC_BASE_URL", "MAKEFLAGS", "MAKELEVEL", "PYTHONPATH", "VIRTUAL_ENV", "DJANGO_"),
)
_numbers = itertools.count(1)


def until(true: Callable[[], T], limit: float, what: str, pause: float = 0.1) -> T:
    """What `true` answered once it answered something true. Raises TimeoutError after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not (answer := true()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {limit:.0f} s")
        time.sleep(pause)
    return answer


class Api:
    """A caller of `/api/v1` with a bearer credential."""

    def __init__(self, url: str, token: str = "", tenant: str = "") -> None:
        self.url, self.token, self.tenant = url, token, tenant
        self._http = httpx.Client(base_url=f"{url}/api/v1/", trust_env=False, timeout=60)

    @property
    def headers(self) -> dict[str, str]:
        named = {"Authorization": f"Bearer {self.token}", "X-Tenant": self.tenant}
        return {name: value for name, value in named.items() if value not in ("", "Bearer ")}

    def request(self, method: str, path: str, body: object = None) -> httpx.Response:
        return self._http.request(method, path, json=body, headers=self.headers)

    def ok(self, method: str, path: str, body: object = None) -> Any:
        """The `data` of a success. Raises RuntimeError with the answer otherwise."""
        response = self.request(method, path, body)
        if not response.is_success:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json()["data"] if response.content else None

    def close(self) -> None:
        self._http.close()


class Member:
    """An administrator of a tenant of their own, with an API key and an S3 access key."""

    def __init__(self, api: Api, url: str, slug: str, closing: ExitStack) -> None:
        self.api, self.slug, self.url, self._closing = api, slug, url, closing
        key = api.ok("POST", "storage/access-keys", {"name": "test"})
        self.access_key_id: str = key["access_key_id"]
        self.secret_access_key: str = key["secret_access_key"]

    def bucket(self, name: str, backend: str | None = None) -> str:
        """A new bucket, there on its backend; returns its name."""
        made = self.api.ok("POST", "storage/buckets", {"name": name, "backend": backend})
        path = f"storage/buckets/{made['id']}"
        until(lambda: self.api.ok("GET", path)["ready"], 60, f"bucket {name} is ready")
        return name

    def s3(self, **config: Any) -> Any:
        """A boto3 client in path style that never retries: what the platform answers is what the caller sees."""
        options: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}}
        client = aws.client(
            "s3",
            endpoint_url=f"{self.url}/s3",
            region_name="us-east-1",
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(**options | {"proxies": {}} | config),
        )
        self._closing.callback(client.close)
        return client


class Instance:
    """One supervisor and its processes, on free ports. `environment` wins over what tests run with.

    Without rate limits unless that says otherwise, since tests come from one address.
    """

    def __init__(self, home: Path, environment: dict[str, str] | None = None) -> None:
        self.home, self.log = home, home.with_suffix(".log")
        self.port, self.https_port = free_ports(2)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        self._environment = {
            **kept,
            "GATEHOUSE_HOME": str(home),
            "GATEHOUSE_HTTP_PORT": str(self.port),
            "GATEHOUSE_HTTPS_PORT": str(self.https_port),
            "BOOTSTRAP_ADMIN_USERNAME": ADMIN[0],
            "BOOTSTRAP_ADMIN_PASSWORD": ADMIN[1],
            "API_RATE_LIMIT": "0",
            "AUTH_RATE_LIMIT": "0",
            "S3_RATE_LIMIT": "0",
            "MCP_RATE_LIMIT": "0",
            **(environment or {}),
        }
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._root: Api | None = None
        self._closing = ExitStack()  # the callers' connections

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when `/health` answers 200. Raises RuntimeError with what the supervisor said."""
        with self.log.open("ab") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", "gateway.supervisor", "up"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),  # a run that is killed leaves nothing
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.healthy():
            if self._supervisor.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the platform did not start: {self.said()[-3000:]}")
            time.sleep(0.2)

    def stop(self) -> list[int]:
        """End it as Ctrl-C would; the ids of processes that outlived it, which are killed."""
        self._closing.close()
        if self._supervisor is None:
            return []
        self._supervisor.send_signal(signal.SIGTERM)
        try:
            self._supervisor.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
        left = sessions.members((), str(self.home))
        sessions.kill(left)
        return left

    def healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def said(self) -> str:
        """What the supervisor and its processes have printed so far."""
        return self.log.read_text(errors="replace")

    def main_pid(self, name: str) -> int | None:
        """The process that the supervisor runs as `name`, or None while there is none."""
        try:
            states = json.loads((self.home / "status.json").read_text())
        except (OSError, ValueError):
            return None
        return next((state["pid"] for state in states if state["name"] == name), None)

    def pids(self, name: str) -> list[int]:
        """The process `name` and all that descend from it, in the order of their ids."""
        main = self.main_pid(name)
        if main is None:
            return []
        parents = dict(_parents())
        found = {main}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return sorted(found)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`manage.py` with the running instance's environment."""
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "gateway.supervisor",
                "run",
                "--",
                sys.executable,
                "manage.py",
                *arguments,
            ],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def member(self, **limits: int) -> Member:
        """A new tenant with an administrator, keys, and the given limits."""
        slug = f"t{os.getpid()}-{next(_numbers)}"
        root = self.root()
        tenant = root.ok("POST", "tenants", {"name": slug, "slug": slug})
        name = f"{slug}-admin"
        user = {"username": name, "email": f"{name}@example.org", "password": PASSWORD, "role": "admin"}
        root.ok("POST", f"tenants/{tenant['id']}/users", user)
        if limits:
            root.ok("PATCH", f"tenants/{tenant['id']}", {"limits": limits})
        signed_in = self.sign_in(name, PASSWORD)
        key = signed_in.ok("POST", "api-keys", {"name": "test"})["api_key"]
        return Member(self._caller(key, slug), self.url, slug, self._closing)

    def remote(self, endpoint: str, access_key: str, secret_key: str) -> str:
        """A backend of kind `s3` that every tenant may use; returns its name."""
        name = f"remote-{next(_numbers)}"
        told = {"name": name, "endpoint": endpoint, "region": "us-east-1", "shared": True}
        secrets = {"access_key": access_key, "secret_key": secret_key}
        self.root().ok("POST", "storage/backends", told | secrets)
        return name

    def root(self) -> Api:
        """The platform's first administrator."""
        if self._root is None:
            self._root = self.sign_in(*ADMIN)
        return self._root

    def sign_in(self, username: str, password: str) -> Api:
        body = {"username": username, "password": password}
        return self._caller(self._caller().ok("POST", "auth/login", body)["access"])

    def _caller(self, token: str = "", tenant: str = "") -> Api:
        api = Api(self.url, token, tenant)
        self._closing.callback(api.close)
        return api


def _parents() -> Iterator[tuple[int, int]]:
    """Every process with its parent."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            # "pid (name) state ppid …", where the name may hold spaces and brackets
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            yield int(entry.name), int(fields[1])


@contextmanager
def running(**environment: str) -> Iterator[Instance]:
    """An instance in a folder that every user may pass: pytest's own are closed to the one that root drops to."""
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-"))
    folder.chmod(0o755)
    instance = Instance(folder / "home", environment)
    try:
        instance.start()
        yield instance
    finally:
        instance.stop()
        engine.clear(instance.home)
        shutil.rmtree(folder, ignore_errors=True)
