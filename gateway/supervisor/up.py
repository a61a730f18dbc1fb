"""`up`: everything from a fresh clone to a running platform in the foreground."""

import hashlib
import json
import os
import secrets
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from gateway import env, logs
from gateway.supervisor import configuration, engine, ports, probes, processes, services
from gateway.supervisor import environment as environments
from gateway.supervisor.account import Account
from gateway.supervisor.binaries import Binaries
from gateway.supervisor.child import Program
from gateway.supervisor.configuration import Configuration
from gateway.supervisor.console import Console
from gateway.supervisor.errors import Refusal
from gateway.supervisor.home import Home, account_of, write_private
from gateway.supervisor.install import Environment
from gateway.supervisor.postgres import LOGIN, OWNER
from gateway.supervisor.supervisor import Supervisor

START_LIMIT_SECONDS = 180.0
STATUS = "status.json"
SETUP = "setup"


def run(root: Path) -> int:
    """Install, prepare, start and watch until a signal asks to stop; 0 after an orderly end."""
    os.umask(0o022)  # what is installed must be readable to the account that runs it
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)  # until the supervisor takes over
    console = Console()
    path = configuration.home_path(root)
    _check_paths(root, path, account_of(path, console.say))
    home = Home(path, console.say)
    with ExitStack() as stack:
        stack.enter_context(home.locked())
        settings = configuration.load(root)
        console.as_json = (os.environ.get("LOG_FORMAT") or logs.default_format()) == "json"
        _check_ports(settings)
        _check_database()
        installed = Environment(root / ".venv", root / "requirements", console.say)
        installed.ensure("base", home.account)
        stack.callback(engine.stop, home.path)  # after the processes, which would start them again
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
        """Add everything with what it waits for, wait for /health, and look after it until asked to stop."""
        urls, embedded = self._services()
        environment = self._environment(urls)
        before, password = self._preparation(environment, embedded)
        environment = {  # not for what serves requests
            name: value
            for name, value in environment.items()
            if name.removesuffix("_FILE") not in ("DATABASE_OWNER_URL", "BOOTSTRAP_ADMIN_PASSWORD")
        }
        caddy = Binaries(self._venv).caddy(self._home.account, self._home.path)
        place = processes.Place(self._python, caddy, self._home.path, environment, before)
        self._supervisor.add(*processes.platform(place))
        port = self._settings.http_port
        if not self._supervisor.wait_ready(
            START_LIMIT_SECONDS, lambda: probes.answers(port, "/health")[0] == 200
        ):
            return
        self._home.remember(prepared=_fingerprint(self._root))
        if password and self._admin_made():
            self._home.remember(admin_password=password)  # for `make demo`; mode 0600, beside the database's
        else:
            password = None
        self._console.banner(_banner(self._settings, password, time.monotonic() - self._began))
        self._watch()

    def _stopping(self) -> bool:
        return self._supervisor.stop_asked is not None

    def _services(self) -> tuple[dict[str, str], tuple[str, ...]]:
        """Have the services started that are not given from outside; their URLs and their names."""
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

    def _preparation(
        self, environment: dict[str, str], embedded: tuple[str, ...]
    ) -> tuple[tuple[str, ...], str | None]:
        """Add what comes before the processes; the names they wait for, and a password that was generated.

        Roles, migrations and first rows are left out when nothing changed since a start that became healthy.
        """
        before = embedded
        if self._home.account.switch:  # it cannot write beside the sources, so whoever owns them does
            self._compile()
        password = None
        trusted = "postgres" in embedded and self._settings.development
        if not (trusted and self._home.memory.get("prepared") == _fingerprint(self._root)):
            given = environments.given("BOOTSTRAP_ADMIN_PASSWORD")
            if self._settings.development and not given:
                password = self._home.memory.get("admin_password") or secrets.token_urlsafe(12)
                environment = {**environment, "BOOTSTRAP_ADMIN_PASSWORD": password}
            command = [str(self._python), str(self._root / "manage.py"), "prepare"]
            self._supervisor.add(Program(SETUP, command, environment=environment, needs=embedded, once=True))
            before = (*embedded, SETUP)
        return before, password

    def _admin_made(self) -> bool:
        made = f"administrator {env.text('BOOTSTRAP_ADMIN_USERNAME', 'admin')} made"  # says `bootstrap`
        return made in self._supervisor.said(SETUP)

    def _compile(self) -> None:
        """Byte code of our own packages, which every process would otherwise make anew at each start."""
        packages = [str(path.parent) for path in self._root.glob("*/__init__.py")]
        packages.append(str(self._root / "workspace_image"))
        command = [str(self._python), "-m", "compileall", "-q", *packages]
        environment = {name: value for name, value in os.environ.items() if name not in environments.WITHHELD}
        subprocess.run(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )

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


def _check_paths(root: Path, home: Path, account: Account) -> None:
    if not account.may_enter(root / "manage.py"):
        raise Refusal(
            f"the user '{account.name}', which everything runs as when root starts it, cannot enter "
            f"{root}: clone to a folder that every user may pass (for example /opt), or start as another user"
        )
    if len(str(home / "run" / "caddy-admin.sock")) > processes.LONGEST_SOCKET_PATH:
        raise Refusal(f"{home} is too long a path for the sockets in it: set GATEHOUSE_HOME to a shorter one")


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
    first = ("S3_BACKEND_", "STORAGE_REGION")
    digest.update(repr(sorted(item for item in os.environ.items() if item[0].startswith(first))).encode())
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
