"""`up`: everything from a fresh clone to a running platform in the foreground."""

import hashlib
import json
import os
import secrets
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from gateway import env
from gateway.supervisor import configuration, ports, probes, processes, services
from gateway.supervisor import environment as environments
from gateway.supervisor.binaries import Binaries
from gateway.supervisor.child import Program
from gateway.supervisor.configuration import Configuration
from gateway.supervisor.console import Console
from gateway.supervisor.errors import Refusal
from gateway.supervisor.home import Home, write_private
from gateway.supervisor.install import Environment
from gateway.supervisor.postgres import LOGIN, OWNER
from gateway.supervisor.supervisor import Supervisor

SERVICES_LIMIT_SECONDS = 60.0
START_LIMIT_SECONDS = 120.0
STATUS = "status.json"


def run(root: Path) -> int:
    """Install, prepare, start and watch until a signal asks to stop; 0 after an orderly end."""
    os.umask(0o022)  # what is installed must be readable to the account that runs it
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)  # until the supervisor takes over
    console = Console()
    home = Home(configuration.home_path(root), console.say)
    _check_paths(root, home)
    with ExitStack() as stack:
        stack.enter_context(home.locked())
        settings = configuration.load(root)
        _check_ports(settings)
        _check_database()
        installed = Environment(root / ".venv", root / "requirements", console.say)
        installed.ensure("base", home.account)
        supervisor = stack.enter_context(Supervisor(home.account, root, str(home.path), console.line))
        _Start(root, home, settings, installed, supervisor, console).run()
        console.say("stopping")
    console.say("stopped")
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class _Start:
    """One start of the platform, from the services to the banner, and the watch after it."""

    def __init__(
        self,
        root: Path,
        home: Home,
        settings: Configuration,
        installed: Environment,
        supervisor: Supervisor,
        console: Console,
    ) -> None:
        self._root = root
        self._home = home
        self._settings = settings
        self._python = installed.python
        self._venv = installed.venv
        self._supervisor = supervisor
        self._console = console
        self._began = time.monotonic()

    def run(self) -> None:
        """Every step ends early when a signal asks to stop."""
        urls, embedded = self._start_services()
        environment = self._environment(urls)
        if self._stopping():
            return
        password = self._prepare(environment, embedded)
        if self._stopping():
            return
        for name in ("DATABASE_OWNER_URL", "BOOTSTRAP_ADMIN_PASSWORD"):  # not for what serves requests
            environment.pop(name, None)
            environment.pop(f"{name}_FILE", None)
        self._start_processes(environment, embedded)
        if self._stopping():
            return
        self._console.plain(_banner(self._settings, password, time.monotonic() - self._began))
        self._watch()

    def _stopping(self) -> bool:
        return self._supervisor.stop_asked is not None

    def _start_services(self) -> tuple[dict[str, str], tuple[str, ...]]:
        """Start the services that are not given from outside; the URLs of those, and their names."""
        postgres, valkey = services.embedded(self._home, self._venv, durable=True)
        urls: dict[str, str] = {}
        own_database = not environments.given("DATABASE_URL")
        if own_database:
            postgres.prepare()
            urls |= {"DATABASE_URL": postgres.url(LOGIN), "DATABASE_OWNER_URL": postgres.url(OWNER)}
        own_cache = not environments.given("REDIS_URL")
        if own_cache:
            urls["REDIS_URL"] = valkey.url()
        running = {
            "GATEHOUSE_HTTP_PORT": self._settings.http_port,
            "GATEHOUSE_HTTPS_PORT": self._settings.https_port,
        }
        self._home.remember(urls=urls, running={name: str(port) for name, port in running.items()})
        started = services.programs(postgres if own_database else None, valkey if own_cache else None)
        self._supervisor.add(*started)
        self._supervisor.wait_ready(SERVICES_LIMIT_SECONDS)
        return urls, tuple(program.name for program in started)

    def _environment(self, urls: dict[str, str]) -> dict[str, str]:
        account = self._home.account
        environment = {
            **environments.of_processes(self._home.path, urls),
            "PYTHONPATH": str(self._root),
            "PATH": f"{self._venv / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }
        if account.switch:
            own = self._home.path / "run"
            environment |= {"HOME": str(own), "USER": account.name, "LOGNAME": account.name}
        return environment

    def _prepare(self, environment: dict[str, str], embedded: tuple[str, ...]) -> str | None:
        """Roles, migrations and first rows, unless nothing changed; the admin's password if one was made."""
        state = _fingerprint(self._root)
        trusted = "postgres" in embedded and self._settings.development
        if trusted and self._home.memory.get("prepared") == state:
            return None
        password = None
        if self._settings.development and not environments.given("BOOTSTRAP_ADMIN_PASSWORD"):
            password = self._home.memory.get("admin_password") or secrets.token_urlsafe(12)
            environment = {**environment, "BOOTSTRAP_ADMIN_PASSWORD": password}
        command = [str(self._python), str(self._root / "manage.py"), "prepare"]
        setup = self._supervisor.run_once(Program("setup", command, lambda: True, environment))
        if setup.code is None:
            return None
        if setup.code:
            raise Refusal(f"the database could not be prepared: {setup.why()}")
        self._home.remember(prepared=state)
        made = f"administrator {env.text('BOOTSTRAP_ADMIN_USERNAME', 'admin')} made"  # says `bootstrap`
        if password is None or made not in setup.said:
            return None
        self._home.remember(admin_password=password)  # for `make demo`; mode 0600, beside the database's
        return password

    def _start_processes(self, environment: dict[str, str], embedded: tuple[str, ...]) -> None:
        edge = Program("edge", [str(self._python), "-m", "gateway.edge"], lambda: True, environment)
        written = self._supervisor.run_once(edge)
        if written.code:
            raise Refusal(f"the edge could not be configured: {written.why()}")
        if self._stopping():
            return
        caddy = Binaries(self._venv).caddy(self._home.account, self._home.path)
        place = processes.Place(self._python, caddy, self._home.path, environment, embedded)
        self._supervisor.add(*processes.platform(place))
        port = self._settings.http_port
        self._supervisor.wait_ready(START_LIMIT_SECONDS, lambda: probes.answers(port, "/health")[0] == 200)

    def _watch(self) -> None:
        """Look after everything until asked to stop, and keep what `status` shows up to date."""
        written: object = None
        while not self._stopping():
            states = self._supervisor.states()
            if states != written:
                write_private(self._home.path / STATUS, json.dumps(states))
                written = states
            self._supervisor.tick(1.0)
        (self._home.path / STATUS).unlink(missing_ok=True)


def _check_paths(root: Path, home: Home) -> None:
    if not home.account.may_enter(root / "manage.py"):
        raise Refusal(
            f"the user '{home.account.name}', which everything runs as when root starts it, cannot enter "
            f"{root}: clone to a folder that every user may pass (for example /opt), or start as another user"
        )
    if len(str(home.path / "run" / "caddy-admin.sock")) > processes.LONGEST_SOCKET_PATH:
        raise Refusal(
            f"{home.path} is too long a path for the sockets in it: set GATEHOUSE_HOME to a shorter one"
        )


def _check_ports(settings: Configuration) -> None:
    for name, port in (
        ("GATEHOUSE_HTTP_PORT", settings.http_port),
        ("GATEHOUSE_HTTPS_PORT", settings.https_port),
    ):
        problem = ports.problem(port)
        if problem:
            raise Refusal(f"port {port} {problem}: set {name} to another one")


def _check_database() -> None:
    if environments.given("DATABASE_URL") != environments.given("DATABASE_OWNER_URL"):
        raise Refusal(
            "set both DATABASE_URL (the application's login) and DATABASE_OWNER_URL (the owner of the "
            "tables, for migrations), or neither to have a PostgreSQL started here"
        )


def _fingerprint(root: Path) -> str:
    """Changes with whatever `manage.py prepare` would do."""
    parts = sorted([*root.glob("*/migrations/*.py"), *root.glob("gateway/db/*.py")])
    parts += [root / "requirements" / "base.txt", *sorted(root.glob("gateway/management/commands/*.py"))]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(str(part.relative_to(root)).encode() + b"\0" + part.read_bytes() + b"\0")
    for name in ("BOOTSTRAP_ADMIN_USERNAME", "BOOTSTRAP_ADMIN_PASSWORD"):
        digest.update(env.secret(name).encode() + b"\0")
    digest.update(
        repr(sorted(item for item in os.environ.items() if item[0].startswith("S3_BACKEND_"))).encode()
    )
    return digest.hexdigest()


def _banner(settings: Configuration, password: str | None, seconds: float) -> str:
    local = f"http://localhost:{settings.http_port}"
    lines = [
        f"Gatehouse is up ({seconds:.1f} s), data in {settings.home}",
        "",
        f"  user interface   {local}/app/",
        f"  administration   {local}/admin/",
        f"  API              {local}/docs",
        f"  files (S3)       {local}/s3/",
        f"  over TLS         https://localhost:{settings.https_port}/   CA: {settings.home / 'ca.crt'}",
    ]
    if settings.base_url not in (local, ""):
        lines.append(f"  public           {settings.base_url}/")
    name = env.text("BOOTSTRAP_ADMIN_USERNAME", "admin")
    if password:
        lines += ["", f"  sign in as {name}, password {password}   (shown this once)"]
    else:
        lines += ["", f"  sign in as {name}"]
    lines += ["", "  Ctrl-C or `make down` stops it."]
    width = max(map(len, lines))
    return "\n".join(["", "─" * width, *lines, "─" * width, ""])
