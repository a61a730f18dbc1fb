"""A purge removes everything that a tenant owns, wherever it is killed, and nothing of anybody else's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as platform
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from gateway.checks import tenant_models
from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Conflict
from realtime.models import Event
from storage.models import Bucket, Object, ObjectVersion, Placement
from storage.providers.fake import FakeBackend
from storage.services import access_keys, backends, buckets
from storage.services import purge as storage
from storage.services import usage as kept_usage
from storage.store import BlobStore
from storage.store.blobs import path_of
from tenants.models import AuditEntry, Membership, Tenant, TenantSettings, User
from tenants.services import api_keys, deletion, domains, purge, tenants, users
from tenants.services.audit import sealing
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """As `kill -9`: nobody handles it."""


def _rows(tenant: Tenant) -> dict[str, int]:
    """How many rows of the tenant each tenant-scoped model has, the tombstone's own left out."""
    with platform_scope("test"):
        counted = {
            model._meta.label: model._base_manager.filter(tenant_id=tenant.pk).count()
            for model in tenant_models()
            if not purge.is_kept(model)
        }
    return {label: count for label, count in counted.items() if count}


def _put(bucket: Any, key: str, body: bytes) -> None:
    """An object as the data plane commits it, larger ones as a blob."""
    store = BlobStore(platform.STORAGE_ROOT)
    store.prepare()
    blob = None
    if len(body) > 100:
        blob = f"{abs(hash((bucket.pk, key))):032x}"[:32]
        path = store.root / path_of(blob)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    with tenant_scope(bucket.tenant_id), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT verdicts FROM storage_commit(%s, true, ARRAY[false], ARRAY[%s], ARRAY[%s], ARRAY[%s::bigint],"
            " ARRAY['e'], ARRAY['text/plain'], ARRAY['{}'::jsonb], ARRAY['{}'::jsonb], ARRAY['{}'::jsonb],"
            " ARRAY[now()], ARRAY[%s::text], ARRAY[%s::bytea], ARRAY['w'])",
            [bucket.tenant_id, bucket.pk, key, len(body), blob, None if blob else body],
        )
        assert cursor.fetchone() == ([None],)


def _blobs() -> list[Path]:
    return [path for path in Path(platform.STORAGE_ROOT).rglob("*") if path.is_file()]


@pytest.fixture
def stored(settings: Any, tmp_path: Path) -> None:
    settings.STORAGE_ROOT = tmp_path / "blobs"
    backends.ensure_default_backends()


def _full_tenant(slug: str) -> Tenant:
    """A tenant with something of everything."""
    tenant = factories.tenant(slug)
    owner = factories.member(tenant, "owner", f"{slug}-owner")
    with tenant_scope(tenant.pk):
        api_keys.issue_key("k", actor=owner)
        access_keys.issue_access_key("k", actor=owner)
        for name in (f"{slug}-one", f"{slug}-two"):
            bucket = buckets.create_bucket(name, actor=owner)
            for n in range(5):
                _put(bucket, f"small-{n}", b"x")
                _put(bucket, f"large-{n}", b"x" * 1000)
            Bucket.objects.filter(pk=bucket.pk).update(versioning="Enabled")
            _put(bucket, "large-0", b"x" * 1000)
    domains.add_domain(tenant, f"{slug}.example.org", actor=factories.staff())
    return tenant


def _deleted(tenant: Tenant) -> Tenant:
    staff = factories.staff()
    deletion.delete_tenant(tenant, actor=staff)
    with platform_scope("test"):
        Tenant.objects.filter(pk=tenant.pk).update(purge_at=timezone.now() - timedelta(seconds=1))
        return Tenant.objects.get(pk=tenant.pk)


def _assert_gone(tenant: Tenant, slug: str) -> None:
    assert _rows(tenant) == {}
    with platform_scope("test"):
        row = Tenant.objects.get(pk=tenant.pk)
        assert (row.status, row.name) == ("purged", "")
        assert row.slug == f"purged-{row.public_id.hex}"
        assert TenantSettings.objects.filter(tenant=row).count() == 1
        assert AuditEntry.objects.filter(tenant=row, action="tenants.tenant.purge", target=slug).count() == 1
        assert (
            Event.objects.filter(type="tenants.tenant.purged", subject=slug, tenant__slug="platform").count()
            == 1
        )


def test_everything_goes_and_nothing_of_others(stored: None) -> None:
    one, other = _full_tenant("one"), _full_tenant("other")
    with platform_scope("test"):
        both, member = User.objects.get(username="other-owner"), User.objects.get(username="one-owner")
        role = other.roles.get(slug="viewer")
        Membership.objects.create(tenant=other, user=member, role=role)
    users.create_user(one, "alone", password=factories.PASSWORD, role="viewer", actor=factories.staff())
    before, files = _rows(other), len(_blobs())
    assert set(before) > {
        "storage.Object",
        "storage.ObjectVersion",
        "storage.Bucket",
        "tenants.ApiKey",
        "tenants.Domain",
        "realtime.Event",
    }
    assert purge.purge(_deleted(one).pk)
    _assert_gone(one, "one")
    assert _rows(other) == before
    assert len(_blobs()) == files // 2
    with platform_scope("test"):
        assert not User.objects.filter(username="alone").exists()
        assert User.objects.filter(pk__in=[both.pk, member.pk]).count() == 2
    assert factories.tenant("one").slug == "one"  # the name is free
    sealing.seal_all()  # what was written last is sealed too, and tells nobody
    assert _rows(one) == {}


def test_only_what_is_deleted_and_due(stored: None) -> None:
    tenant = _full_tenant("kept")
    before = _rows(tenant)
    assert not purge.purge(tenant.pk)
    deletion.delete_tenant(tenant, actor=factories.staff())
    assert not purge.purge(tenant.pk)
    after = _rows(tenant)
    assert {label: count for label, count in after.items() if label != "realtime.Event"} == {
        label: count for label, count in before.items() if label != "realtime.Event"
    }
    for status in ("active", "deleted"):
        with (
            platform_scope("test"),
            pytest.raises(DatabaseError, match="not due"),
            connection.cursor() as cursor,
        ):
            Tenant.objects.filter(pk=tenant.pk).update(status=status)
            cursor.execute("SELECT purge_events(%s, 10)", [tenant.pk])


def _lock(tenant: Tenant, lock: Mapping[str, object], *, noncurrent: bool = False) -> None:
    model: Any = ObjectVersion if noncurrent else Object
    with platform_scope("test"):
        Bucket.objects.filter(tenant=tenant).update(object_lock=True)
        row = model.objects.filter(tenant=tenant).order_by("pk").first()
        model.objects.filter(pk=row.pk).update(lock=lock)


@pytest.mark.parametrize("noncurrent", [False, True])
def test_what_is_retained_is_kept_until_it_is_over(stored: None, noncurrent: bool) -> None:
    tenant, staff = _full_tenant("one"), factories.staff()
    until = timezone.now() + timedelta(days=platform.TENANT_PURGE_DAYS + 10)
    _lock(tenant, {"mode": "COMPLIANCE", "until": until.isoformat()}, noncurrent=noncurrent)
    deleted = deletion.delete_tenant(tenant, actor=staff)
    assert deleted.purge_at == until
    assert (
        f"1 version of objects may not be removed yet (retained in compliance mode until {until:%Y-%m-%d}"
        in (deleted.purge_error)
    )
    with pytest.raises(Conflict) as refused:
        deletion.purge_now(tenant, "one", actor=staff)
    assert (refused.value.code, refused.value.detail) == ("tenant_kept", deleted.purge_error)
    # Whatever the schedule says, nothing of it goes.
    before, files = _rows(tenant), _blobs()
    with platform_scope("test"):
        Tenant.objects.filter(pk=tenant.pk).update(purge_at=timezone.now() - timedelta(seconds=1))
    assert not purge.purge(tenant.pk)
    assert (_rows(tenant), _blobs()) == (before, files)
    over = timezone.now() - timedelta(seconds=1)
    _lock(tenant, {"mode": "COMPLIANCE", "until": over.isoformat()}, noncurrent=noncurrent)
    assert purge.purge(tenant.pk)
    _assert_gone(tenant, "one")


def test_what_is_held_is_kept_until_the_tenant_is_back(stored: None) -> None:
    tenant, staff = _full_tenant("one"), factories.staff()
    _lock(tenant, {"hold": True})
    deleted = deletion.delete_tenant(tenant, actor=staff)
    assert "1 under legal hold" in deleted.purge_error
    assert deletion.restore_tenant(tenant, actor=staff).purge_error == ""
    governed = {"mode": "GOVERNANCE", "until": (timezone.now() + timedelta(days=9)).isoformat()}
    _lock(tenant, governed)  # whoever may bypass it may purge
    assert purge.purge(_deleted(tenant).pk)
    _assert_gone(tenant, "one")


def test_events_are_deleted_by_no_other_way() -> None:
    tenant = _deleted(factories.tenant())
    with platform_scope("test"):
        for pretence in ("", "SELECT set_config('app.purge', 'realtime_event', false);"):
            with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
                cursor.execute(f"{pretence} DELETE FROM realtime_event WHERE tenant_id = {tenant.pk}")
        assert Event.objects.filter(tenant=tenant).exists()


def _killers() -> list[tuple[str, Callable[[pytest.MonkeyPatch, int], None]]]:
    """Where a purge can die: in the n-th call of what each step does again and again."""

    def dying(target: Any, name: str) -> Callable[[pytest.MonkeyPatch, int], None]:
        def arm(patch: pytest.MonkeyPatch, after: int) -> None:
            real, left = getattr(target, name), [after]

            def call(*args: Any, **kwargs: Any) -> Any:
                if not left[0]:
                    raise Killed
                left[0] -= 1
                return real(*args, **kwargs)

            patch.setattr(target, name, call)

        return arm

    return [
        ("storage", dying(storage, "_remove_bucket")),
        ("in a bucket", dying(kept_usage, "lock")),
        ("files", dying(BlobStore, "remove")),
        ("people", dying(User, "delete")),
        ("tombstone", dying(purge, "_entomb")),
    ]


@pytest.mark.parametrize(
    ("where", "arm"), _killers(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_purge_that_was_killed_goes_on(
    where: str, arm: Callable[[pytest.MonkeyPatch, int], None], stored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = _deleted(_full_tenant("one"))
    for after in (0, 1):
        with monkeypatch.context() as patch:
            arm(patch, after)
            try:
                purge.purge(tenant.pk)
            except Killed:
                connection.close()  # what the process had open went with it
        with platform_scope("test"):
            status = Tenant.objects.get(pk=tenant.pk).status
        assert status == "deleted" or after
        if status == "deleted":
            with pytest.raises(Conflict):
                tenants.update_tenant(tenant, name="x", actor=factories.staff())
    purge.purge(tenant.pk)
    _assert_gone(tenant, "one")
    assert _blobs() == []


def test_a_backend_that_does_not_answer_holds_the_purge_up_and_is_left_behind_in_the_end(
    stored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = FakeBackend()
    from storage.providers import KINDS, Unreachable
    from storage.providers.fake import FakeProvider

    class Far(FakeProvider):
        def __init__(self, connection: Any) -> None:
            super().__init__(connection, far)

    monkeypatch.setitem(KINDS, "fake", Far)
    staff = factories.staff()
    backends.create_backend("far", "fake", endpoint="https://far.example.org", shared=True, actor=staff)
    tenant = factories.tenant("remote")
    owner = factories.member(tenant, "owner")
    with tenant_scope(tenant.pk):
        bucket = buckets.create_bucket("remote-bucket", backend="far", actor=owner)
        name = bucket.placement.backend_bucket
        far.objects[name] = {}
        far.put(name, "not in the index", b"x")
        Placement.objects.update(observed_state="present")
    _deleted(tenant)
    far.failures = [Unreachable("no answer")]
    assert not purge.purge(tenant.pk)
    with platform_scope("test"):
        assert "no answer" in Tenant.objects.get(pk=tenant.pk).purge_error
    assert name in far.objects
    assert purge.purge(tenant.pk)
    _assert_gone(tenant, "remote")
    assert far.objects == {}


def test_a_backend_that_is_gone_for_good_is_named_in_the_audit_log(
    stored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage.providers import KINDS, Refused
    from storage.providers.fake import FakeProvider

    class Closed(FakeProvider):
        def __init__(self, connection: Any) -> None:
            super().__init__(connection, FakeBackend(failures=[Refused("closed")] * 99))

    monkeypatch.setitem(KINDS, "fake", Closed)
    staff = factories.staff()
    backends.create_backend("far", "fake", endpoint="https://far.example.org", shared=True, actor=staff)
    tenant = factories.tenant("remote")
    owner = factories.member(tenant, "owner")
    with tenant_scope(tenant.pk):
        name = buckets.create_bucket("remote-bucket", backend="far", actor=owner).placement.backend_bucket
    _deleted(tenant)
    assert not purge.purge(tenant.pk)
    with platform_scope("test"):
        Tenant.objects.filter(pk=tenant.pk).update(purge_at=timezone.now() - storage.FORSAKEN_AFTER * 2)
    assert purge.purge(tenant.pk)
    _assert_gone(tenant, "remote")
    with platform_scope("test"):
        entry = AuditEntry.objects.get(tenant=tenant, action="storage.bucket.forsake")
        assert entry.after == {"buckets": [{"name": name, "on": "far"}]}
        assert not Object.objects.exists()
