"""What the hashes of the audit chain are made of (docs/audit.md tells outsiders the same).

Canonical JSON is RFC 8785 for what entries hold: keys sorted, no white space, UTF-8. Times are RFC 3339 in UTC with
six digits of a second. All hashes are SHA-256 in lower-case hexadecimal.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from gateway import crypto
from tenants.models import AuditEntry, AuditSeal

DIGEST_SIZE = hashlib.sha256().digest_size
_PURPOSE = "audit-seal"
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(value: object) -> bytes:
    return _CANONICAL.encode(value).encode()


def moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def entry_record(entry: AuditEntry) -> dict[str, Any]:
    """All that an entry says, as it is hashed and exported."""
    return {
        "id": str(entry.public_id),
        "at": moment(entry.at),
        "actor_id": entry.actor_id,
        "actor": entry.actor,
        "credential": entry.credential,
        "ip": entry.ip,
        "request_id": entry.request_id,
        "action": entry.action,
        "target": entry.target,
        "before": entry.before,
        "after": entry.after,
    }


def entry_digest(entry: AuditEntry) -> bytes:
    return hashlib.sha256(canonical(entry_record(entry))).digest()


def root(digests: bytes) -> str:
    """The hash of a batch: of its entries' digests, one after the other."""
    return hashlib.sha256(digests).hexdigest()


def seal_record(seal: AuditSeal) -> dict[str, Any]:
    """What a seal's hash covers. `seal.tenant` is read."""
    return {
        "tenant": str(seal.tenant.public_id),
        "number": seal.number,
        "count": seal.count,
        "root": seal.root,
        "previous": seal.previous,
        "kept_from": seal.kept_from,
        "drained": seal.drained,
        "sealed_at": moment(seal.sealed_at),
    }


def seal_hash(seal: AuditSeal) -> str:
    return hashlib.sha256(canonical(seal_record(seal))).hexdigest()


def sign(seal: AuditSeal) -> None:
    """Fill in the seal's hash and its keyed digest, which only this instance can compute."""
    seal.hash = seal_hash(seal)
    seal.mac_key, mac = crypto.sign(_PURPOSE, seal.hash.encode())
    seal.mac = mac.hex()


def is_signed(seal: AuditSeal) -> bool:
    """Whether this instance's key made the seal. Raises CannotOpen where that key is no longer configured."""
    return crypto.is_signed(_PURPOSE, seal.hash.encode(), seal.mac_key, seal.mac)
