"""What is past its time is dropped, nothing else is, and the chain can be verified all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Conflict, Forbidden
from tenants.models import AuditEntry, AuditSeal, Tenant, TenantSettings
from tenants.principal import Principal
from tenants.services import audit
from tenants.services.audit import retention, sealing, verification
from tests import factories

from .audit_owner import tampering

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def days_ago(days: int) -> Iterator[None]:
    then = timezone.now() - timedelta(days=days)
    with mock.patch("django.utils.timezone.now", return_value=then):
        yield


@pytest.fixture
def who() -> Principal:
    with days_ago(100):
        return factories.member(factories.tenant())


def sealed(who: Principal, days: int, count: int = 2) -> None:
    with days_ago(days):
        with tenant_scope(who.tenant.pk), transaction.atomic():
            for _ in range(count):
                audit.record(who, f"tests.day.d{days}", target="x")
        sealing.seal_tenant(who.tenant)


def days(who: Principal) -> set[str]:
    with tenant_scope(who.tenant.pk):
        rows = AuditEntry.objects.filter(action__startswith="tests.day.")
        return {action.rpartition(".")[2] for action in rows.values_list("action", flat=True)}


def keep(who: Principal, value: int | None) -> None:
    with tenant_scope(who.tenant.pk):
        TenantSettings.objects.filter(tenant=who.tenant).update(audit_retention_days=value)


def drop(tenant: Tenant, of_days: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT drop_audit_batches(%s, %s)", [tenant.pk, of_days])
        (dropped,) = cursor.fetchone()
    return int(dropped)


def test_old_batches_are_dropped_and_the_chain_stays_sound(who: Principal) -> None:
    for day in (90, 40, 20, 1):
        sealed(who, day)
    keep(who, 30)
    with tenant_scope(who.tenant.pk):
        entries = AuditEntry.objects.count()
    dropped = retention.expire_all()
    assert days(who) == {"d20", "d1"}
    verdict = verification.verify(who.tenant)
    assert verdict.is_sound and verdict.whole
    assert verdict.kept_from == 3 and verdict.seals == 5
    assert verdict.kept_since is not None and (timezone.now() - verdict.kept_since).days == 20
    with tenant_scope(who.tenant.pk):
        assert dropped == entries - 4
        told = AuditEntry.objects.get(action="tenants.audit.expire")
        assert told.after == {"through_seal": 2, "entries": dropped, "days": 30}
    assert retention.expire(who.tenant, 30) == 0
    sealed(who, 0)
    assert verification.verify(who.tenant).is_sound


def test_many_batches_are_dropped_a_few_at_a_time(who: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SEALS_AT_A_TIME", 2)
    for day in (90, 80, 70, 60, 50):
        sealed(who, day)
    assert retention.expire(who.tenant, 30) >= 10
    assert days(who) == set()
    verdict = verification.verify(who.tenant)
    assert verdict.is_sound and verdict.kept_from == 6


@pytest.mark.parametrize(
    ("own", "platform", "left"), [(None, 0, 1), (None, 30, 0), (0, 30, 1), (60, 30, 1), (7, 0, 0)]
)
def test_the_tenants_setting_comes_before_the_platforms(
    who: Principal, settings: Any, own: int | None, platform: int, left: int
) -> None:
    sealed(who, 45)
    keep(who, own)
    settings.AUDIT_RETENTION_DAYS = platform
    retention.expire_all()
    assert len(days(who)) == left


def test_what_is_not_sealed_is_kept(who: Principal) -> None:
    sealing.seal_tenant(who.tenant)
    with days_ago(90), tenant_scope(who.tenant.pk):
        audit.record(who, "tests.day.unsealed", target="x")
    retention.expire(who.tenant, 1)
    assert days(who) == {"unsealed"}


def test_the_database_refuses_to_drop_what_is_to_be_kept(who: Principal) -> None:
    sealed(who, 40)
    sealed(who, 20)
    tenant = who.tenant
    with tenant_scope(tenant.pk):
        assert drop(tenant, 30) == 0  # no seal says that entries are dropped
        with pytest.raises(DatabaseError, match="still to be kept"), transaction.atomic():
            sealing.append_seal(tenant, [], drained=False, kept_from=3)
            drop(tenant, 30)  # the second is younger
        with pytest.raises(DatabaseError, match="still to be kept"):
            drop(tenant, 0)
        with transaction.atomic(), connection.cursor() as cursor:
            sealing.append_seal(tenant, [], drained=False, kept_from=3)
            cursor.execute("SELECT drop_audit_batches(%s, NULL)", [tenant.pk])
            assert cursor.fetchone() == (None,) and len(days(who)) == 2
            transaction.set_rollback(True)
        keep(who, 60)
        with pytest.raises(DatabaseError, match="still to be kept"), transaction.atomic():
            sealing.append_seal(tenant, [], drained=False, kept_from=2)
            drop(tenant, 30)  # the tenant keeps them for longer
        keep(who, 0)
        with pytest.raises(DatabaseError, match="still to be kept"):
            drop(tenant, 30)
    other = factories.tenant()
    with tenant_scope(other.pk), pytest.raises(DatabaseError, match="still to be kept"):
        drop(tenant, 30)
    assert days(who) == {"d40", "d20"}


def test_an_entry_of_a_dropped_batch_that_comes_back_is_found(who: Principal) -> None:
    sealed(who, 40)
    sealed(who, 1)
    with tenant_scope(who.tenant.pk):
        pk = AuditSeal.objects.get(number=1).entry_ids[0]
    retention.expire(who.tenant, 30)
    with tampering() as db:
        db.execute(
            "INSERT INTO tenants_auditentry (id, tenant_id, public_id, at, actor, credential, request_id, action,"
            " target, before, after) VALUES (%s, %s, gen_random_uuid(), now() - interval '40 days', 'x', 'session',"
            " '-', 'x', 'x', '{}', '{}')",
            [pk, who.tenant.pk],
        )
    assert [f.kind for f in verification.verify(who.tenant).findings] == ["inserted_entry"]


def test_batches_deleted_without_a_seal_that_says_so_are_found(who: Principal) -> None:
    sealed(who, 40)
    sealed(who, 1)
    with tampering() as db:
        db.execute(
            "DELETE FROM tenants_auditentry WHERE id IN (SELECT unnest(entry_ids) FROM tenants_auditseal"
            " WHERE tenant_id = %s AND number = 1)",
            [who.tenant.pk],
        )
        db.execute("UPDATE tenants_auditseal SET kept_from = 2 WHERE tenant_id = %s", [who.tenant.pk])
    assert verification.verify(who.tenant).findings[0].kind == "changed_seal"


def test_a_deleted_tenants_log_is_dropped_whole_and_its_head_is_told(who: Principal) -> None:
    sealed(who, 1)
    root = factories.staff()
    with pytest.raises(Conflict, match="not deleted"):
        retention.drop_log(who.tenant, actor=root)
    with pytest.raises(Forbidden):
        retention.drop_log(who.tenant, actor=who)
    with platform_scope("test"):
        with pytest.raises(DatabaseError, match="not deleted"), connection.cursor() as cursor:
            cursor.execute("SELECT drop_audit_log(%s)", [who.tenant.pk])
        head = AuditSeal.objects.filter(tenant=who.tenant).latest("number")
        Tenant.objects.filter(pk=who.tenant.pk).update(status=Tenant.Status.DELETED)
        entries = AuditEntry.objects.filter(tenant=who.tenant).count()
    assert retention.drop_log(who.tenant, actor=root) == entries > 0
    assert retention.drop_log(who.tenant, actor=root) == 0
    with platform_scope("test"):
        assert not AuditEntry.objects.filter(tenant=who.tenant).exists()
        assert not AuditSeal.objects.filter(tenant=who.tenant).exists()
        told = AuditEntry.objects.get(action="tenants.audit.drop", target=who.tenant.slug)
        assert told.tenant_id == root.tenant.pk
        assert told.before == {"entries": entries, "seal": head.number, "head": head.hash}
