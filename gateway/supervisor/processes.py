"""The table of the platform's own processes."""

import grp
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gateway.supervisor import probes
from gateway.supervisor.child import Program

CADDY_CONFIGURATION = "caddy.json"
OF_CADDY = ("PATH", "HOME", "GATEHOUSE_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR")  # no secret among them
# The edge's buffers for bodies are garbage at once, and with Go's default collecting it took most of its processor time
# for a large GET. This costs 30 MiB of memory.
COLLECTOR = {"GOGC": "300"}
OF_BROKER = (
    *("PATH", "HOME", "PYTHONPATH", "PYTHONUNBUFFERED", "GATEHOUSE_HOME", "GATEHOUSE_ENV"),
    *("GATEHOUSE_PROCESS", "LOG_LEVEL", "LOG_FORMAT", "BROKER_RESTARTS"),
    *("DOCKER_HOST", "DOCKER_NETWORK", "DOCKER_PULL"),
)
OF_RUNNER = (  # no secret among them
    *("PATH", "PYTHONPATH", "PYTHONUNBUFFERED", "GATEHOUSE_HOME", "GATEHOUSE_ENV", "GATEHOUSE_ENV_FILE"),
    *("GATEHOUSE_PROCESS", "GATEHOUSE_HTTP_PORT", "GATEHOUSE_CLOSED_PORTS", "WORKSPACE_EGRESS_PRIVATE"),
    *("LOG_LEVEL", "LOG_FORMAT"),
)
OWN_PORTS = {"GATEHOUSE_HTTP_PORT": "8080", "GATEHOUSE_HTTPS_PORT": "8443"}
FRONT = {"EDGE_FRONT": "1"}
LOG_CONFIGURATION = Path(__file__).with_name("granian.json")
NO_CHECKS = {"CELERY_SKIP_CHECKS": "1"}  # Django's, which `web` has made; they take a second each
BACKGROUND_NICE = 5  # requests come before jobs
LONGEST_SOCKET_PATH = 107  # of sockaddr_un


@dataclass(frozen=True)
class Place:
    """What the table needs to know of the instance."""

    python: Path
    caddy: Path
    home: Path
    environment: Mapping[str, str]
    before: tuple[str, ...]  # what is started here and must be there first: embedded services, preparation

    def socket(self, name: str) -> Path:
        return self.home / "run" / f"{name}.sock"


def platform(place: Place) -> list[Program]:
    """Every process. What serves requests comes first; what works in the background leaves it the cores."""
    return [
        _web(place),
        _live(place),
        _decision(place),
        _edge(place),
        _caddy(place),
        _front(place),
        _broker(place),
        _runner(place),
        _worker(place),
        _beat(place),
    ]


def _web(place: Place) -> Program:
    """Django under WSGI. Threads, because requests wait for the database; more processes with more cores."""
    socket = place.socket("web")
    return Program(
        "web",
        _module(place, "granian", "--interface", "wsgi", "--uds", str(socket), "--no-ws", "--no-access-log")
        + ["--workers", os.environ.get("WEB_WORKERS") or str(max(1, min(4, (os.cpu_count() or 1) // 2)))]
        + ["--blocking-threads", os.environ.get("WEB_THREADS") or "5", "--backlog", "2048"]
        + ["--respawn-failed-workers", "--workers-kill-timeout", "2", "--log-level", "warning"]
        + ["--log-config", str(LOG_CONFIGURATION), "gateway.wsgi:application"],
        lambda: probes.listens(socket),
        _environment(place, "web"),
        needs=place.before,
        sockets=(socket,),
        patience=3.0,
    )


def _live(place: Place) -> Program:
    """WebSockets and event streams."""
    # Clients send pings alone, and compressing every frame for every reader costs more than it saves.
    return _uvicorn(
        place,
        "live",
        "gateway.asgi:application",
        *("--ws", "websockets-sansio", "--ws-max-size", "65536", "--ws-per-message-deflate", "false"),
    )


def _decision(place: Place) -> Program:
    """What the edge asks for every request."""
    protocol = ("--http", "gateway.decision.protocol:EdgeProtocol", "--no-proxy-headers")
    return _uvicorn(place, "decision", "gateway.decision.app:app", "--ws", "none", *protocol)


def _uvicorn(place: Place, name: str, application: str, *options: str) -> Program:
    socket = place.socket(name)
    return Program(
        name,
        _module(place, "uvicorn", application, "--uds", str(socket), "--loop", "uvloop", "--no-access-log")
        + ["--timeout-graceful-shutdown", "2", "--log-level", "warning", "--no-server-header"]
        + ["--timeout-keep-alive", "120", *options],  # the edge closes idle connections, never its upstream
        lambda: probes.listens(socket),
        _environment(place, name),
        needs=place.before,
        sockets=(socket,),
        patience=3.0,
    )


def _worker(place: Place) -> Program:
    return Program(
        "worker",
        _celery(place, "worker", "--without-gossip", "--without-mingle")
        + ["--concurrency", os.environ.get("WORKER_CONCURRENCY") or "2"],
        lambda: True,  # whether it takes tasks, /health says
        _environment(place, "worker", **NO_CHECKS),
        needs=(*place.before, "runner"),  # it ends first: sandboxes that end are no failures
        after=("caddy",),
        nice=BACKGROUND_NICE,
        patience=4.0,
    )


def _beat(place: Place) -> Program:
    return Program(
        "beat",
        _celery(place, "beat", "--pidfile="),
        lambda: True,
        _environment(place, "beat", **NO_CHECKS),
        needs=(*place.before, "runner"),
        after=("caddy",),
        nice=BACKGROUND_NICE,
        patience=4.0,
    )


def _edge(place: Place) -> Program:
    """Writes Caddy's configuration, and the instance's certificates where they are missing."""
    environment = _environment(place, "edge", **FRONT)
    return Program("edge", _module(place, "gateway.edge"), environment=environment, once=True)


def _caddy(place: Place) -> Program:
    configuration = place.home / "run" / CADDY_CONFIGURATION
    return Program(
        "caddy",
        [str(place.caddy), "run", "--config", str(configuration)],
        lambda: probes.listens(place.socket("caddy-admin")),
        COLLECTOR | {name: place.environment[name] for name in OF_CADDY if name in place.environment},
        needs=("web", "live", "decision"),
        after=("edge",),
        sockets=(place.socket("caddy-admin"),),
        patience=2.0,
        hush=("HTTP/2 skipped", "admin endpoint on open interface", "exiting; byeee"),
    )


def _front(place: Place) -> Program:
    """The plain port, in front of Caddy."""
    return Program(
        "front",
        _module(place, "gateway.edge.front"),
        lambda: True,  # /health answers through it
        _environment(place, "front", **FRONT),
        needs=("caddy",),
        early=True,
        patience=2.5,
    )


def _broker(place: Place) -> Program:
    """The only process that may use the container engine. It gets no secret."""
    socket = place.socket("broker")
    return Program(
        "broker",
        _module(place, "workspaces.broker"),
        lambda: probes.listens(socket),
        {
            name: value
            for name, value in _environment(place, "broker", BROKER_RESTARTS="1").items()
            if name in OF_BROKER
        },
        sockets=(socket,),
        patience=2.0,
        groups=_engine_groups,
    )


def _runner(place: Place) -> Program:
    """Owns the sandboxes of workspaces where there is no container engine. It gets no secret."""
    socket = place.socket("runner")
    environment = _environment(place, "runner", GATEHOUSE_CLOSED_PORTS=_closed_ports(place))
    return Program(
        "runner",
        _module(place, "workspaces.runner"),
        lambda: probes.listens(socket),
        {name: value for name, value in environment.items() if name in OF_RUNNER},
        sockets=(socket,),
        patience=6.0,
    )


def _closed_ports(place: Place) -> str:
    """The ports of the platform's own servers, which no sandbox may reach by way of this machine."""
    urls = (place.environment.get(name, "") for name in ("DATABASE_URL", "REDIS_URL"))
    ports = [str(port) for url in urls if (port := urlsplit(url).port)]
    ports += [place.environment.get(name, default) for name, default in OWN_PORTS.items()]
    return " ".join(ports)


def _engine_groups() -> tuple[int, ...]:
    """The group that the engine gives its socket, or will give it once it is there."""
    parts = urlsplit(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    try:
        return (Path(parts.path).stat().st_gid,)
    except OSError:
        try:
            return (grp.getgrnam("docker").gr_gid,)
        except KeyError:
            return ()


def _celery(place: Place, command: str, *options: str) -> list[str]:
    level = (os.environ.get("LOG_LEVEL") or "INFO").upper()
    return _module(
        place,
        *("celery", "--app", "gateway.celery:app", "--quiet", command, *options),
        *("--loglevel", "DEBUG" if level == "TRACE" else level),
    )


def _environment(place: Place, name: str, **more: str) -> dict[str, str]:
    """GATEHOUSE_PROCESS names the process in logs and metrics."""
    return {**place.environment, **more, "GATEHOUSE_PROCESS": name}


def _module(place: Place, module: str, *arguments: str) -> list[str]:
    return [str(place.python), "-m", module, *arguments]
