"""The instance's own certificate authority and the edge's certificate, for TLS without anybody's help.

`<home>/ca.crt` is what clients are given to trust. The authority's key and the edge's certificate are in
`<home>/caddy/tls/`, readable by the platform's user alone. Everything is made when it is missing and made
anew when it is about to expire or no longer fits the names wanted.
"""

import contextlib
import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=397)  # browsers refuse longer ones
RENEW_BEFORE = timedelta(days=60)
_SKEW = timedelta(hours=1)  # a client's clock may be behind ours


@dataclass(frozen=True, slots=True)
class EdgeCertificate:
    """Where the files are, and whether they were just made."""

    ca: Path
    certificate: Path
    private_key: Path
    renewed: bool


def ensure(home: Path, names: Iterable[str]) -> EdgeCertificate:
    """Make what is missing, stale or does not cover `names` (DNS names, `*.` patterns, addresses).

    An authority that is replaced (it lives ten years) invalidates the old `ca.crt`.
    """
    folder = home / "caddy" / "tls"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_path, ca_key_path = home / "ca.crt", folder / "ca.key"
    leaf_path, leaf_key_path = folder / "edge.crt", folder / "edge.key"
    wanted = _alternative_names(names)
    authority = _load(ca_path, ca_key_path)
    renewed = False
    if authority is None or _stale(authority[0], CA_LIFE / 10):
        authority = _make_authority()
        _store(ca_path, ca_key_path, *authority)
        renewed = True
    leaf = _load(leaf_path, leaf_key_path)
    if renewed or leaf is None or not _fits(leaf[0], authority[0], wanted):
        leaf = _make_leaf(*authority, wanted)
        _store(leaf_path, leaf_key_path, *leaf)
        renewed = True
    return EdgeCertificate(ca_path, leaf_path, leaf_key_path, renewed)


_Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _alternative_names(names: Iterable[str]) -> list[x509.GeneralName]:
    wanted: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            wanted.append(x509.IPAddress(ipaddress.ip_address(name.strip("[]"))))
        except ValueError:
            wanted.append(x509.DNSName(name.encode("idna").decode() if not name.isascii() else name))
    return wanted


def _load(certificate: Path, key: Path) -> _Pair | None:
    """The pair, or None when a file is missing, unreadable as such, or they do not belong together."""
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or loaded.public_key() != private.public_key():
        return None
    return loaded, private


def _stale(certificate: x509.Certificate, margin: timedelta) -> bool:
    now = datetime.now(UTC)
    return certificate.not_valid_before_utc > now or certificate.not_valid_after_utc < now + margin


def _fits(leaf: x509.Certificate, authority: x509.Certificate, wanted: list[x509.GeneralName]) -> bool:
    if _stale(leaf, RENEW_BEFORE):
        return False
    try:
        leaf.verify_directly_issued_by(authority)
    except Exception:  # ValueError, TypeError or InvalidSignature: all mean another authority made it
        return False
    present = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(wanted) <= set(present)


def _make_authority() -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # Each authority has a name of its own, so that a client that trusts several instances tells them apart.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Gatehouse instance CA {serial:x}"[:38])])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def _make_leaf(
    authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey, names: list[x509.GeneralName]
) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    issuer_id = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Gatehouse edge")]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(min(now + LEAF_LIFE, authority.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    return certificate, key


def _store(
    path: Path, key_path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _replace(key_path, pem, 0o600)
    _replace(path, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all."""
    draft = path.with_suffix(path.suffix + ".new")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
