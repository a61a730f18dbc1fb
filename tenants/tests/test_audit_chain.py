"""Sealing and verifying: what is written is sealed once, and what is changed behind the platform's back is found."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, transaction

from gateway import crypto
from gateway.db.scope import tenant_scope
from realtime.models import Event
from tenants.models import AuditEntry, AuditSeal, Tenant, UnsealedEntry
from tenants.principal import Principal
from tenants.services import audit
from tenants.services.audit import chain, sealing, verification
from tests import factories

from .audit_owner import owner, tampering

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def who() -> Principal:
    return factories.member(factories.tenant())


def write(who: Principal, count: int, action: str = "tests.thing.do") -> None:
    with tenant_scope(who.tenant.pk), transaction.atomic():
        for number in range(count):
            audit.record(who, action, target=f"thing {number}", after={"number": number, "text": "ü"})


def sealed(who: Principal, *batches: int) -> Tenant:
    """The tenant after so many batches of entries, each sealed."""
    for count in batches:
        write(who, count)
        sealing.seal_tenant(who.tenant)
    return who.tenant


def kinds(tenant: Tenant) -> list[str]:
    return [finding.kind for finding in verification.verify(tenant).findings]


def test_batches_make_a_chain_that_is_sound(who: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "BATCH", 4)
    tenant = sealed(who, 10)
    with tenant_scope(tenant.pk):
        seals = list(AuditSeal.objects.order_by("number"))
        entries = AuditEntry.objects.count()
        assert sum(seal.count for seal in seals) == entries >= 10
        assert [seal.number for seal in seals] == list(range(1, len(seals) + 1))
        assert [seal.previous for seal in seals] == ["", *(seal.hash for seal in seals[:-1])]
        assert [seal.drained for seal in seals] == [False] * (len(seals) - 1) + [True]
        told = Event.objects.filter(type="tenants.audit.sealed").order_by("id")
        assert [event.data["hash"] for event in told] == [seal.hash for seal in seals]
    verdict = verification.verify(tenant)
    assert verdict.is_sound and verdict.whole
    assert (verdict.seals, verdict.entries, verdict.unsealed) == (len(seals), entries, 0)
    assert verdict.head == seals[-1].hash
    assert sealing.seal_tenant(tenant) == 0


def test_each_tenant_has_its_own_chain(who: Principal) -> None:
    other = factories.member(factories.tenant())
    write(who, 3)
    write(other, 2)
    assert sealing.seal_all() >= 5
    for one in (who, other):
        with tenant_scope(one.tenant.pk):
            assert AuditSeal.objects.get().tenant_id == one.tenant.pk
        assert verification.verify(one.tenant).is_sound


def test_an_entry_that_commits_late_lands_in_the_next_seal(who: Principal) -> None:
    """It has the lower id, and its transaction is open while higher ones are written, committed and sealed."""
    sealed(who, 1)
    written, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        try:
            with tenant_scope(who.tenant.pk), transaction.atomic():
                audit.record(who, "tests.thing.late", target="late")
                written.set()
                assert go_on.wait(30)
        finally:
            connection.close()

    slow = threading.Thread(target=slowly)
    slow.start()
    try:
        assert written.wait(30)
        write(who, 3, "tests.thing.early")
        assert sealing.seal_tenant(who.tenant) == 3
    finally:
        go_on.set()
        slow.join()
    with tenant_scope(who.tenant.pk):
        late = AuditEntry.objects.get(action="tests.thing.late")
        assert late.pk < AuditEntry.objects.filter(action="tests.thing.early").earliest("pk").pk
        assert list(UnsealedEntry.objects.values_list("pk", flat=True)) == [late.pk]
    assert sealing.seal_tenant(who.tenant) == 1
    with tenant_scope(who.tenant.pk):
        assert AuditSeal.objects.latest("number").entry_ids == [late.pk]
    assert verification.verify(who.tenant).is_sound


def test_many_writers_and_two_sealers_leave_nothing_out(who: Principal) -> None:
    stop = threading.Event()
    failed: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as e:
            failed.append(e)
        finally:
            connection.close()

    def keep_sealing() -> None:
        while not stop.is_set():
            sealing.seal_tenant(who.tenant)

    def keep_writing() -> None:
        for _ in range(15):
            write(who, 2)

    sealers = [threading.Thread(target=run, args=(keep_sealing,)) for _ in range(2)]
    writers = [threading.Thread(target=run, args=(keep_writing,)) for _ in range(4)]
    for thread in sealers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in sealers:
        thread.join()
    assert not failed
    sealing.seal_tenant(who.tenant)
    with tenant_scope(who.tenant.pk):
        ids = [pk for seal in AuditSeal.objects.all() for pk in seal.entry_ids]
        assert len(ids) == len(set(ids))
        assert set(ids) == set(AuditEntry.objects.values_list("pk", flat=True))
        assert AuditEntry.objects.filter(action="tests.thing.do").count() == 120
    verdict = verification.verify(who.tenant)
    assert verdict.is_sound and verdict.seals > 1


def test_writers_do_not_wait_for_the_sealer_nor_a_second_sealer_for_the_first(who: Principal) -> None:
    write(who, 3)
    outcome: list[object] = []

    def meanwhile() -> None:
        try:
            with tenant_scope(who.tenant.pk), transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '1ms'")
                audit.record(who, "tests.thing.meanwhile", target="x")
            outcome.append(sealing.seal_tenant(who.tenant))
        except BaseException as e:
            outcome.append(e)
        finally:
            connection.close()

    with tenant_scope(who.tenant.pk), transaction.atomic():
        assert sealing.lock_chain(who.tenant)
        sealing._seal_batch(who.tenant)  # to its last statement, and not yet committed
        other = threading.Thread(target=meanwhile)
        other.start()
        other.join()
    assert outcome == [0]
    assert sealing.seal_tenant(who.tenant) == 1
    assert verification.verify(who.tenant).is_sound


def test_a_transaction_that_fails_leaves_nothing_to_seal(who: Principal) -> None:
    sealed(who, 1)
    with pytest.raises(RuntimeError), tenant_scope(who.tenant.pk), transaction.atomic():
        audit.record(who, "tests.thing.do", target="x")
        raise RuntimeError
    assert sealing.seal_tenant(who.tenant) == 0


ENTRY = "(SELECT entry_ids[2] FROM tenants_auditseal WHERE tenant_id = %(t)s AND number = 2)"
TAMPERING = {
    "changed_entry": f"UPDATE tenants_auditentry SET actor = 'somebody else' WHERE id = {ENTRY}",
    "changed_entry (data)": f"UPDATE tenants_auditentry SET after = '{{}}' WHERE id = {ENTRY}",
    "changed_entry (time)": f"UPDATE tenants_auditentry SET at = at - interval '1 us' WHERE id = {ENTRY}",
    "deleted_entry": f"DELETE FROM tenants_auditentry WHERE id = {ENTRY}",
    "deleted_entry (given away)": f"UPDATE tenants_auditentry SET tenant_id = "
    f"(SELECT id FROM tenants_tenant WHERE slug = 'platform') WHERE id = {ENTRY}",
    "inserted_entry": "INSERT INTO tenants_auditentry (tenant_id, public_id, at, actor, credential, request_id,"
    " action, target, before, after)"
    " VALUES (%(t)s, gen_random_uuid(), now(), 'x', 'session', '-', 'x', 'x', '{}', '{}')",
    "missing_seal": "DELETE FROM tenants_auditseal WHERE tenant_id = %(t)s AND number = 2",
    "missing_seal (newest)": "DELETE FROM tenants_auditseal WHERE tenant_id = %(t)s AND number = 3",
    "missing_seal (all)": "DELETE FROM tenants_auditseal WHERE tenant_id = %(t)s",
    "changed_seal": "UPDATE tenants_auditseal SET sealed_at = now() WHERE tenant_id = %(t)s AND number = 2",
    "changed_seal (list)": "UPDATE tenants_auditseal SET entry_ids = entry_ids[1:1]"
    " WHERE tenant_id = %(t)s AND number = 2",
    "forged_seal": "UPDATE tenants_auditseal SET mac = repeat('0', 64) WHERE tenant_id = %(t)s AND number = 2",
    "unknown_key": "UPDATE tenants_auditseal SET mac_key = 'other' WHERE tenant_id = %(t)s AND number = 2",
}


@pytest.mark.parametrize("case", TAMPERING)
def test_what_the_owner_of_the_tables_changes_is_found(who: Principal, case: str) -> None:
    tenant = sealed(who, 2, 3, 2)
    with tampering() as db:
        assert db.execute(TAMPERING[case], {"t": tenant.pk}).rowcount
    kind = case.partition(" ")[0]
    found = verification.verify(tenant).findings
    assert found[0].kind == kind
    with pytest.raises(CommandError) as refused:
        call_command("verify_audit", tenant=tenant.slug, stdout=StringIO())
    assert str(refused.value) == f"{tenant.slug}: {found[0].detail}"
    if kind in ("changed_entry", "deleted_entry", "changed_seal", "forged_seal", "unknown_key"):
        assert found[0].seal == 2


def test_a_changed_entry_is_named(who: Principal) -> None:
    tenant = sealed(who, 3)
    with tenant_scope(tenant.pk):
        victim = AuditEntry.objects.filter(action="tests.thing.do").order_by("id")[1]
    with tampering() as db:
        db.execute("UPDATE tenants_auditentry SET target = 'x' WHERE id = %s", [victim.pk])
    (finding,) = verification.verify(tenant).findings
    assert finding.kind == "changed_entry" and finding.entry == str(victim.public_id)


def test_a_chain_made_anew_without_the_key_is_found(who: Principal) -> None:
    """The owner of the database rewrites an entry, its digest, and every hash after it: all but the key's."""
    tenant = sealed(who, 2, 2)
    with tenant_scope(tenant.pk):
        seals = list(AuditSeal.objects.order_by("number").select_related("tenant"))
        victim = AuditEntry.objects.get(pk=seals[0].entry_ids[0])
        victim.actor = "somebody else"
        digests = chain.entry_digest(victim) + bytes(seals[0].digests)[chain.DIGEST_SIZE :]
    with tampering() as db:
        db.execute("UPDATE tenants_auditentry SET actor = 'somebody else' WHERE id = %s", [victim.pk])
        previous = ""
        for seal in seals:
            if seal.number == 1:
                seal.digests, seal.root = digests, chain.root(digests)
            seal.previous = previous
            seal.hash = previous = chain.seal_hash(seal)
            db.execute(
                "UPDATE tenants_auditseal SET digests = %s, root = %s, previous = %s, hash = %s WHERE id = %s",
                [bytes(seal.digests), seal.root, seal.previous, seal.hash, seal.pk],
            )
    assert kinds(tenant)[:2] == ["forged_seal", "forged_seal"]


def test_a_broken_link_is_named(who: Principal) -> None:
    """A seal that was made by the platform's key, but at another place of the chain."""
    tenant = sealed(who, 2, 2)
    with tenant_scope(tenant.pk):
        seal = AuditSeal.objects.select_related("tenant").get(number=2)
    seal.previous = "0" * 64
    chain.sign(seal)
    with tampering() as db:
        db.execute(
            "UPDATE tenants_auditseal SET previous = %s, hash = %s, mac = %s WHERE id = %s",
            [seal.previous, seal.hash, seal.mac, seal.pk],
        )
    assert kinds(tenant)[0] == "broken_link"


def test_an_entry_from_the_past_is_found_once_it_is_sealed(who: Principal) -> None:
    tenant = sealed(who, 2)
    with tampering() as db:
        db.execute("ALTER TABLE tenants_auditentry ENABLE TRIGGER unsealed")
        db.execute(
            "INSERT INTO tenants_auditentry (tenant_id, public_id, at, actor, credential, request_id, action, target,"
            " before, after) VALUES (%s, gen_random_uuid(), now() - interval '3 days', 'x', 'session', '-', 'x', 'x',"
            " '{}', '{}')",
            [tenant.pk],
        )
    sealing.seal_tenant(tenant)
    assert kinds(tenant) == ["inserted_entry"]


def test_entries_that_wait_too_long_are_told(who: Principal) -> None:
    tenant = sealed(who, 1)
    write(who, 2)
    assert verification.verify(tenant).is_sound
    with tampering() as db:
        db.execute(
            "UPDATE tenants_auditentry SET at = now() - interval '2 hours'"
            " WHERE id IN (SELECT entry_id FROM tenants_unsealedentry WHERE tenant_id = %s)",
            [tenant.pk],
        )
    assert kinds(tenant) == ["unsealed"]


def test_an_entry_that_is_deleted_before_its_seal_is_told(who: Principal) -> None:
    tenant = sealed(who, 1)
    write(who, 2)
    with tampering() as db:
        db.execute(
            "DELETE FROM tenants_auditentry"
            " WHERE id = (SELECT min(entry_id) FROM tenants_unsealedentry WHERE tenant_id = %s)",
            [tenant.pk],
        )
    assert sealing.seal_tenant(tenant) == 1
    assert kinds(tenant) == ["deleted_entry"]


def test_a_chain_cut_short_everywhere_is_found_by_what_was_noted_elsewhere(who: Principal) -> None:
    tenant = sealed(who, 2, 2)
    with tenant_scope(tenant.pk):
        newest = AuditSeal.objects.latest("number")
    with tampering() as db:
        db.execute("DELETE FROM tenants_auditentry WHERE id = ANY (%s)", [newest.entry_ids])
        db.execute("DELETE FROM tenants_auditseal WHERE id = %s", [newest.pk])
        db.execute("ALTER TABLE realtime_event DISABLE TRIGGER USER")
        db.execute(
            "DELETE FROM realtime_event WHERE tenant_id = %s AND data ->> 'hash' = %s",
            [tenant.pk, newest.hash],
        )
        db.execute("ALTER TABLE realtime_event ENABLE TRIGGER USER")
    call_command("verify_audit", tenant=tenant.slug, stdout=StringIO())
    noted = f"{newest.number}:{newest.hash}"
    with pytest.raises(CommandError, match="Seal 2, once the newest, is missing"):
        call_command("verify_audit", tenant=tenant.slug, expect=noted, stdout=StringIO())


def test_the_command_says_what_it_saw(who: Principal) -> None:
    tenant = sealed(who, 2)
    out = StringIO()
    call_command("verify_audit", stdout=out)
    line = next(line for line in out.getvalue().splitlines() if line.startswith(f"{tenant.slug}:"))
    assert "sound, 1 seals" in line and "0 wait" in line
    with pytest.raises(CommandError, match="no tenant"):
        call_command("verify_audit", tenant="no-such", stdout=StringIO())
    with pytest.raises(CommandError, match="NUMBER:HASH"):
        call_command("verify_audit", tenant=tenant.slug, expect="1:x", stdout=StringIO())


def test_a_new_encryption_key_leaves_old_seals_sound(who: Principal, settings: Any) -> None:
    tenant = sealed(who, 1)
    new = "k2:" + base64.b64encode(bytes(range(32))).decode()
    try:
        settings.ENCRYPTION_KEYS = f"{new},{settings.ENCRYPTION_KEYS}"
        crypto._keys.cache_clear()
        sealed(who, 1)
        assert verification.verify(tenant).is_sound
        settings.ENCRYPTION_KEYS = new
        crypto._keys.cache_clear()
        assert kinds(tenant) == ["unknown_key"]
    finally:
        crypto._keys.cache_clear()


def test_a_bounded_look_takes_the_newest_entries_and_every_link(who: Principal) -> None:
    tenant = sealed(who, 3, 3, 3)
    verdict = verification.verify(tenant, most_entries=4)
    assert verdict.is_sound and not verdict.whole
    assert (verdict.seals, verdict.entries) == (3, 6)
    with tampering() as db:
        db.execute(
            "UPDATE tenants_auditseal SET drained = false WHERE tenant_id = %s AND number = 1", [tenant.pk]
        )
    assert verification.verify(tenant, most_entries=4).findings[0].kind == "changed_seal"


@pytest.mark.parametrize("table", ["tenants_auditentry", "tenants_auditseal"])
@pytest.mark.parametrize("change", ["UPDATE {} SET tenant_id = 1", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_not_even_the_owner_changes_them_while_the_triggers_are_there(
    who: Principal, table: str, change: str
) -> None:
    sealed(who, 1)
    with owner() as db:
        db.execute(f"ALTER TABLE {table} ENABLE TRIGGER no_truncate")  # off in tests, which empty the tables
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            db.execute(change.format(table))
        db.rollback()


def test_pretending_to_be_the_dropping_function_helps_nobody(who: Principal) -> None:
    tenant = sealed(who, 1)
    with (
        tenant_scope(tenant.pk),
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT set_config('gatehouse.audit_drop', pg_current_xact_id()::text, true)")
        cursor.execute("DELETE FROM tenants_auditentry")
