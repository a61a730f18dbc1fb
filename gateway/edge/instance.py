"""This instance's edge: settings from Django's, certificate, configuration on disk and in Caddy."""

import http.client
import json
import os
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.edge import ca, caddy
from gateway.edge.settings import EdgeSettings

CONFIGURATION = "run/caddy.json"
"""Below the home."""


_SYSTEM_BUNDLES = (Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt"))


class EdgeUnreachable(Exception):
    """Caddy's admin API does not answer, or refused the configuration; the text says which."""


def certificate_names(settings: Any) -> list[str]:
    """The names under which the instance's certificate must hold."""
    names = ["localhost", "*.localhost", "127.0.0.1", "::1", settings.PUBLIC_HOST]
    names += [*settings.EDGE_PUBLIC_HOSTS, settings.S3_DOMAIN, f"*.{settings.S3_DOMAIN}"]
    return [name.lower() for name in names if name]


def edge_settings(settings: Any, certificate: Path, private_key: Path) -> EdgeSettings:
    """What `gateway.edge.caddy.build` needs, from Django's settings."""
    has_front = settings.EDGE_FRONT or front_socket(settings).is_socket()  # one that runs keeps the port
    plain, secure = addresses(settings, settings.HTTP_PORT), tuple[str, ...]()
    if has_front:
        plain = (f"unix/{front_socket(settings)}|0600",)
        secure = (f"unix/{front_socket(settings, secure=True)}|0600",)
    return EdgeSettings(
        home=settings.HOME,
        http_listen=plain,
        https_listen=addresses(settings, settings.HTTPS_PORT),
        relayed_tls=secure,
        certificate=certificate,
        private_key=private_key,
        default_server_name=settings.PUBLIC_HOST,
        blob_root=settings.STORAGE_ROOT,
        decision_dial=settings.DECISION_DIAL,
        s3_domain=settings.S3_DOMAIN,
        trusted_proxies=tuple(settings.TRUSTED_PROXIES),
        backend_ca_files=_backend_authorities(settings.EDGE_BACKEND_CA_FILES),
        metadata_names=tuple(name.lower() for name in settings.S3_METADATA_NAMES),
        access_log=settings.EDGE_ACCESS_LOG,
        process_buffer=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        strict_transport=strict_transport(settings),
        log_level="DEBUG" if settings.LOG_LEVEL in ("TRACE", "DEBUG") else "WARN",
    )


def strict_transport(settings: Any) -> str:
    """The value of Strict-Transport-Security (RFC 6797, section 6.1), empty where HTTPS is not enforced."""
    if not settings.SECURE_HSTS_SECONDS:
        return ""
    below = "; includeSubDomains" if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else ""
    return f"max-age={settings.SECURE_HSTS_SECONDS}{below}"


def addresses(settings: Any, port: int) -> tuple[str, ...]:
    """`host:port` for every host to listen on that this machine has."""
    return tuple(_listen(host, port) for host in settings.EDGE_BIND if _can_bind(host))


def front_socket(settings: Any, *, secure: bool = False) -> Path:
    """Where Caddy serves what comes through `gateway.edge.front`: plain, or under TLS at ports of services."""
    return Path(settings.HOME) / "run" / ("secure.sock" if secure else "plain.sock")


def write(settings: Any, path: Path | None = None) -> Path:
    """Write the configuration (and, when needed, a certificate) and return its path."""
    if settings.EDGE_TLS_CERTIFICATE:
        certificate, key = Path(settings.EDGE_TLS_CERTIFICATE), Path(settings.EDGE_TLS_KEY)
    else:
        made = ca.ensure(settings.HOME, certificate_names(settings))
        certificate, key = made.certificate, made.private_key
    path = path or settings.HOME / CONFIGURATION
    configuration = caddy.build(edge_settings(settings, certificate, key))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(configuration, indent=1), encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(path)
    return path


def renew_certificate(settings: Any) -> bool:
    """Make the instance's certificate anew when it is about to expire, and have Caddy use it; whether it was.

    Does nothing where the certificate is somebody else's or Caddy runs elsewhere. Raises EdgeUnreachable; asked again,
    it loads a certificate that Caddy has not got yet.
    """
    configuration, admin = settings.HOME / CONFIGURATION, settings.HOME / "run" / "caddy-admin.sock"
    if settings.EDGE_TLS_CERTIFICATE or not (configuration.exists() and admin.is_socket()):
        return False
    made = ca.ensure(settings.HOME, certificate_names(settings))
    if made.certificate.stat().st_mtime <= configuration.stat().st_mtime:
        return False
    load(admin, configuration.read_text(encoding="utf-8"))
    configuration.touch()
    return True


def load(admin_socket: Path, configuration: str) -> None:
    """Make a running Caddy take the configuration. Raises EdgeUnreachable."""
    headers = {"Content-Type": "application/json", "Cache-Control": "must-revalidate"}
    try:
        ask(admin_socket, "POST", "/load", configuration.encode(), headers, patience=30)
    except Refused as error:
        raise EdgeUnreachable(f"Caddy refused the configuration ({error})") from error
    except (OSError, http.client.HTTPException) as error:
        raise EdgeUnreachable(f"Caddy does not answer at {admin_socket}: {error}") from error


class Refused(http.client.HTTPException):
    """An answer other than 200; the text is its status and the beginning of its body."""


def ask(
    path: Path | str,
    method: str,
    target: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    patience: float,
) -> None:
    """One HTTP request over a Unix socket, whose answer is 200 within `patience` seconds a step.

    Raises Refused, HTTPException, OSError.
    """
    connection = _UnixConnection(path, patience)
    try:
        connection.request(method, target, body, {"Host": "localhost", **(headers or {})})
        answer = connection.getresponse()
        text = answer.read(4096).decode("utf-8", "replace")
    finally:
        connection.close()
    if answer.status != 200:
        raise Refused(f"{answer.status}: {text}")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path | str, patience: float) -> None:
        super().__init__("localhost", timeout=patience)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


def _backend_authorities(own: list[str]) -> tuple[Path, ...]:
    """The files given and the system's, because Caddy takes either the system's or a list of files."""
    if not own:
        return ()
    system = ssl.get_default_verify_paths().cafile
    bundles = [Path(system)] if system else [path for path in _SYSTEM_BUNDLES if path.exists()][:1]
    return (*(Path(name) for name in own), *bundles)


def _listen(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _can_bind(host: str) -> bool:
    """Whether this machine has that address: one without IPv6 has no ::1, and Caddy would not start."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True
