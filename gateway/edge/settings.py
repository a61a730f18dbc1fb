"""Everything Caddy's configuration depends on, as one typed object."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """Times are seconds. Addresses for `dial` are `host:port` or `unix//absolute/path`."""

    home: Path
    """The instance's home: Caddy keeps its own state in `caddy/` below it."""
    http_listen: tuple[str, ...]
    """Caddy addresses of the plain site: `127.0.0.1:8080`, or the socket that `gateway.edge.front` relays to."""
    https_listen: tuple[str, ...]
    """Caddy addresses of the same site under TLS; empty for none."""
    certificate: Path
    private_key: Path
    default_server_name: str
    """The name whose certificate a client gets that names none."""
    blob_root: Path
    """Where SendFile's paths begin."""
    decision_dial: str
    s3_domain: str
    """Only to choose the language of an error when the decision process itself cannot be asked."""
    relayed_tls: tuple[str, ...] = ()
    """Where the front relays TLS to that came to a port of a service; empty without a front."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks whose X-Forwarded-* is believed."""
    admin_socket: Path | None = None
    """Default `<home>/run/caddy-admin.sock`."""
    backend_ca_files: tuple[Path, ...] = ()
    """The only authorities trusted for https upstreams; empty for the system's."""
    metadata_names: tuple[str, ...] = ()
    """`x-amz-meta-` names with `_` or `.` that pass; Caddy drops all others, and their spelling with `-`."""
    strict_transport: str = ""
    """The value of Strict-Transport-Security on every answer; empty for none."""
    log_level: str = "WARN"
    access_log: bool = False

    dial_timeout: float = 5
    question_timeout: float = 15
    """For an answer to /decide, /commit or /failed."""
    restart_patience: float = 10
    """How long one of our own processes may be unreachable before that is an error."""
    standard_timeout: float = 60
    """For the head of a remote upstream's answer."""
    process_timeout: float = 120
    long_timeout: float = 900
    stream_timeout: float = 3600
    """After the end, or the last byte, of a request's body; bounds a POST answered by a stream."""
    header_timeout: float = 10
    """For a client to send a request's head."""
    stall_timeout: float = 60
    """For a client to take, or an upstream to take or give, the next bytes."""
    keep_alive: float = 300
    """For a client's idle connection."""
    grace: float = 3600
    """For requests under way when Caddy stops or takes a new configuration; whoever stops it may kill it."""
    max_header_bytes: int = 64 << 10
    process_buffer: int = 2 << 20
    """What of a body is waited for before one of our own processes is bothered: their threads are few, and a client
    that sends a byte a minute shall keep none of them. As long as their longest body (DATA_UPLOAD_MAX_MEMORY_SIZE)."""

    @property
    def admin_path(self) -> Path:
        """The socket of Caddy's admin API."""
        return self.admin_socket or self.home / "run" / "caddy-admin.sock"
