"""Whether a tenant's audit log is what was written: every link of its chain, and every entry under its seal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from gateway import crypto
from gateway.db.locks import advisory_lock
from gateway.db.scope import tenant_scope
from gateway.errors import Conflict
from realtime import newest
from tenants.models import AuditEntry, AuditSeal, Tenant, UnsealedEntry
from tenants.principal import Principal

from . import chain, sealing

LATEST = timedelta(hours=1)
"""How long an entry may wait for its seal, and how much older than the last full sealing it may say it is."""
MOST_FINDINGS = 20
MOST_LOOKED_AT = 20_000
_SEALS = 50
_NOWHERE = """
SELECT e.id, e.public_id FROM tenants_auditentry e
LEFT JOIN (SELECT unnest(entry_ids) AS id FROM tenants_auditseal WHERE tenant_id = %(tenant)s) s ON s.id = e.id
LEFT JOIN tenants_unsealedentry u ON u.entry_id = e.id
WHERE e.tenant_id = %(tenant)s AND s.id IS NULL AND u.entry_id IS NULL
ORDER BY e.id LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind` is a word for programs: changed_entry, deleted_entry, inserted_entry, broken_link, missing_seal,
    changed_seal, forged_seal, unknown_key, unsealed; `seal` and `entry` (its public id, or its number where it is
    gone) say where.
    """

    kind: str
    detail: str
    seal: int | None = None
    entry: str | None = None


@dataclass(slots=True)
class Verdict:
    """`whole` where every kept entry was looked at; `kept_since` is when the oldest kept batch was sealed."""

    tenant: str
    seals: int = 0
    entries: int = 0
    unsealed: int = 0
    head: str = ""
    kept_from: int = 1
    kept_since: datetime | None = None
    whole: bool = True
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not self.findings

    def add(self, kind: str, detail: str, *, seal: int | None = None, entry: object = None) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(kind, detail, seal, None if entry is None else str(entry)))


@dataclass(slots=True)
class _Walk:
    """Where the walk along the chain stands. Entries are looked at from the seal `entries_from` on."""

    entries_from: int
    number: int = 0
    hash: str = ""
    drained_at: datetime | None = None


def verify(
    tenant: Tenant, *, most_entries: int | None = None, expected: tuple[int, str] | None = None
) -> Verdict:
    """Walk the chain from its first seal, in bounded memory; the first finding is the first bad place in it.

    With `most_entries` the links are all looked at, the entries of the newest seals only, as many as that at least.
    `expected` is a seal's number and hash that somebody noted elsewhere.
    """
    verdict = Verdict(tenant.slug)
    with tenant_scope(tenant.pk), _one_moment():
        head = sealing.newest_seal(tenant)
        if head is not None:
            verdict.head, verdict.kept_from = head.hash, head.kept_from
            walk = _Walk(_first_looked_at(tenant, head, most_entries))
            verdict.whole = walk.entries_from <= head.kept_from
            for seal in _seals(tenant, walk.entries_from):
                _check_link(verdict, walk, seal)
                if seal.number >= walk.entries_from:
                    _check_entries(verdict, walk, seal)
                _move_on(verdict, walk, seal)
        _check_known_heads(verdict, tenant, expected)
        _check_unsealed(verdict, tenant)
    return verdict


def look(*, actor: Principal) -> Verdict:
    """What a tenant's own people may ask for at any time: `verify` of the tenant acted in, within seconds.

    Raises Forbidden, Conflict while another look at the same tenant goes on.
    """
    actor.require("audit.read")
    with tenant_scope(actor.tenant.pk), advisory_lock("audit-verification", actor.tenant.pk) as held:
        if not held:
            raise Conflict("The audit log is being verified already; wait for that to end.", code="busy")
        return verify(actor.tenant, most_entries=MOST_LOOKED_AT)


@contextmanager
def _one_moment() -> Iterator[None]:
    """All queries see one state of the log, whatever is sealed or dropped meanwhile."""
    if connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")  # takes the scope's role, which would be the transaction's first query
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _first_looked_at(tenant: Tenant, head: AuditSeal, most_entries: int | None) -> int:
    if most_entries is None:
        return 1
    seen, number = 0, head.number + 1
    sizes = AuditSeal.objects.filter(tenant=tenant, number__gte=head.kept_from).order_by("-number")
    for number, count in sizes.values_list("number", "count").iterator():
        seen += count
        if seen >= most_entries:
            return int(number)
    return head.kept_from


def _seals(tenant: Tenant, whole_from: int) -> Iterator[AuditSeal]:
    """The chain in order; seals below `whole_from` without their lists of entries."""
    after = 0
    while True:
        rows = AuditSeal.objects.filter(tenant=tenant, number__gt=after).order_by("number")
        if after + 1 < whole_from:
            rows = rows.filter(number__lt=whole_from).defer("digests", "entry_ids")
        seals = list(rows[:_SEALS])
        if not seals and after + 1 >= whole_from:
            return
        for seal in seals:
            seal.tenant = tenant
            yield seal
        after = seals[-1].number if seals else whole_from - 1


def _check_link(verdict: Verdict, walk: _Walk, seal: AuditSeal) -> None:
    number = seal.number
    if number != walk.number + 1:
        verdict.add("missing_seal", f"Seal {walk.number + 1} is missing.", seal=walk.number + 1)
    elif seal.previous != walk.hash:
        verdict.add("broken_link", f"Seal {number} does not follow seal {walk.number}.", seal=number)
    if chain.seal_hash(seal) != seal.hash:
        verdict.add("changed_seal", f"Seal {number} was changed.", seal=number)
        return
    try:
        if not chain.is_signed(seal):
            verdict.add("forged_seal", f"Seal {number} was not made by this platform's key.", seal=number)
    except crypto.CannotOpen:
        verdict.add(
            "unknown_key",
            f"Seal {number} was made under the key {seal.mac_key}, not configured.",
            seal=number,
        )


def _check_entries(verdict: Verdict, walk: _Walk, seal: AuditSeal) -> None:
    number, digests = seal.number, bytes(seal.digests)
    size = chain.DIGEST_SIZE
    if (
        chain.root(digests) != seal.root
        or not len(seal.entry_ids) * size == len(digests) == seal.count * size
    ):
        verdict.add("changed_seal", f"The list of entries of seal {number} was changed.", seal=number)
        return
    there = {e.pk: e for e in AuditEntry.objects.filter(tenant=seal.tenant, pk__in=seal.entry_ids)}
    if number < verdict.kept_from:
        for entry in there.values():
            text = f"Entry {entry.public_id} is of seal {number}, whose entries were dropped."
            verdict.add("inserted_entry", text, seal=number, entry=entry.public_id)
        return
    for position, pk in enumerate(seal.entry_ids):
        found = there.get(pk)
        if found is None:
            text = f"Entry {pk}, number {position + 1} of seal {number}, was deleted."
            verdict.add("deleted_entry", text, seal=number, entry=pk)
            continue
        verdict.entries += 1
        if chain.entry_digest(found) != digests[position * size : (position + 1) * size]:
            text = f"Entry {found.public_id} ({found}) was changed after seal {number}."
            verdict.add("changed_entry", text, seal=number, entry=found.public_id)
        elif walk.drained_at and found.at < walk.drained_at - LATEST:
            text = f"Entry {found.public_id} ({found}) says it is older than when it came."
            verdict.add("inserted_entry", text, seal=number, entry=found.public_id)


def _move_on(verdict: Verdict, walk: _Walk, seal: AuditSeal) -> None:
    verdict.seals += 1
    walk.number, walk.hash = seal.number, seal.hash
    if seal.drained:
        walk.drained_at = seal.sealed_at
    if seal.number == verdict.kept_from:
        verdict.kept_since = seal.sealed_at


def _check_known_heads(verdict: Verdict, tenant: Tenant, expected: tuple[int, str] | None) -> None:
    """The newest seal that the event log tells of, and the one that the caller knows, are in the chain."""
    known = [expected] if expected else []
    if told := newest.newest_data(tenant.pk, sealing.EVENT):
        known.append((int(str(told["number"])), str(told["hash"])))
    for number, seal_hash in known:
        found = AuditSeal.objects.filter(tenant=tenant, number=number).values_list("hash", flat=True).first()
        if found is None:
            verdict.add("missing_seal", f"Seal {number}, once the newest, is missing.", seal=number)
        elif found != seal_hash:
            verdict.add("forged_seal", f"Seal {number} is not the one that was told of.", seal=number)


def _check_unsealed(verdict: Verdict, tenant: Tenant) -> None:
    waiting = UnsealedEntry.objects.filter(tenant=tenant)
    verdict.unsealed = waiting.count()
    gone = waiting.filter(~Exists(AuditEntry.objects.filter(pk=OuterRef("pk"))))
    for pk in gone.values_list("entry_id", flat=True)[:MOST_FINDINGS]:
        verdict.add("deleted_entry", f"Entry {pk} was deleted before it was sealed.", entry=pk)
    late = waiting.filter(entry__at__lt=timezone.now() - LATEST)
    if (oldest := late.order_by("entry_id").values_list("entry__public_id", flat=True).first()) is not None:
        text = f"{late.count()} entries wait for their seal for more than an hour."
        verdict.add("unsealed", text, entry=oldest)
    if verdict.whole:
        with connection.cursor() as cursor:
            cursor.execute(_NOWHERE, {"tenant": tenant.pk, "most": MOST_FINDINGS})
            for _, public_id in cursor.fetchall():
                text = f"Entry {public_id} is in no seal and does not wait for one."
                verdict.add("inserted_entry", text, entry=public_id)
