"""The authorities that HTTPS trusts: the system's, and the one given with GITLAB_CA."""

from __future__ import annotations

import os
import ssl
import tempfile
from functools import cache
from pathlib import Path

from gatehouse_workspace.settings import Misconfigured

BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


@cache
def context(pem: str) -> ssl.SSLContext:
    """For clients in this process. Raises Misconfigured where `pem` holds no certificate."""
    made = ssl.create_default_context()
    if pem:
        try:
            made.load_verify_locations(cadata=pem)
        except (ssl.SSLError, ValueError) as error:
            raise Misconfigured("GITLAB_CA holds no PEM certificate") from error
    return made


@cache
def bundle(pem: str) -> str | None:
    """A file with the system's authorities and `pem`, for git, which takes one file; None without `pem`."""
    if not pem:
        return None
    context(pem)
    known = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or ""
    system = next((Path(path).read_text() for path in (known, *BUNDLES) if path and Path(path).is_file()), "")
    with tempfile.NamedTemporaryFile("w", prefix="gatehouse-ca-", suffix=".pem", delete=False) as file:
        file.write(f"{system}\n{pem}\n")
    return file.name
