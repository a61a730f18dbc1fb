"""Caddy's whole configuration: one generic route that asks the decision process, then acts.

Nothing in it names a host, bucket or workspace, so it is loaded once. Its order of events for a request:

1. what the client must not say (`X-Gw-*`, …) is deleted, the request id and the client's address are set;
2. GET /decide with the client's headers; its answer goes to the client unless it bears `X-Gw-Action`;
3. `forward`, `file` or `handle` is done with what the answer said;
4. a Forward with a token ends with GET /commit, a failure of the act with GET /failed.

docs/edge.md says why each odd-looking setting is there.
"""

from gateway.edge.settings import EdgeSettings

from .logs import logging
from .pieces import Json, seconds
from .servers import servers


def build(settings: EdgeSettings) -> Json:
    """The configuration as Caddy's admin API and `caddy run --config` take it."""
    return {
        "admin": {"listen": f"unix/{settings.admin_path}|0600", "config": {"persist": False}},
        "storage": {"module": "file_system", "root": str(settings.home / "caddy" / "data")},
        "logging": logging(settings),
        "apps": {
            "http": {
                "grace_period": seconds(settings.grace),
                "servers": dict(servers(settings)),
            },
            "tls": {
                "certificates": {
                    "load_files": [
                        {
                            "certificate": str(settings.certificate),
                            "key": str(settings.private_key),
                            "tags": ["instance"],
                        }
                    ]
                },
                "disable_ocsp_stapling": True,
            },
        },
    }
