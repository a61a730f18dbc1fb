"""The nets under crashes: garbage, strays, old uploads, writes whose answer nobody heard."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from gateway.db.scope import platform_scope
from realtime.models import Event
from storage import providers
from storage.index.commits import GIVEN_UP
from storage.index.lease import PROCESS
from storage.models import (
    Backend,
    BlobGarbage,
    Bucket,
    BucketUsage,
    Object,
    ObjectVersion,
    Placement,
    Upload,
    UploadPart,
    Usage,
    WriteIntent,
)
from storage.providers.fake import FakeBackend, FakeProvider
from storage.services import intents, removals, sweeps, usage
from storage.store import BlobStore, new_id, path_of
from tenants.models import Tenant
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def blobs(tmp_path: Path, settings: Any) -> BlobStore:
    settings.STORAGE_ROOT = tmp_path / "blobs"
    store = BlobStore(settings.STORAGE_ROOT)
    store.prepare()
    return store


@pytest.fixture
def bucket() -> Bucket:
    tenant = factories.tenant()
    with platform_scope("tests"):
        backend = Backend.objects.create(name="far", kind="fake")
        bucket = Bucket.objects.create(tenant=tenant, name="docs")
        Placement.objects.create(tenant=tenant, bucket=bucket, backend=backend, backend_bucket="gh-docs")
    return bucket


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    backend = FakeBackend(objects={"gh-docs": {}})

    class Kind(FakeProvider):
        def __init__(self, connection: providers.Connection) -> None:
            super().__init__(connection, backend)

    monkeypatch.setitem(providers.KINDS, "fake", Kind)
    return backend


def blob(store: BlobStore, age: float = 0) -> str:
    blob_id = new_id()
    path = store.root / path_of(blob_id)
    path.write_bytes(b"x")
    then = time.time() - age
    os.utime(path, (then, then))
    return blob_id


def there(store: BlobStore) -> set[str]:
    return {p.name for p in store.root.rglob("*") if p.is_file()}


def row(bucket: Bucket, key: str, blob_id: str | None = None, etag: str = "e", size: int = 1) -> Object:
    with platform_scope("tests"):
        return Object.objects.create(
            tenant=bucket.tenant, bucket=bucket, key=key, size=size, etag=etag, content_type="t",
            last_modified=timezone.now(), writer="w", blob=blob_id,
        )  # fmt: skip


def used(bucket: Bucket, **counts: int) -> None:
    for owner in (
        Usage(tenant=bucket.tenant, **counts),
        BucketUsage(tenant=bucket.tenant, bucket=bucket, **counts),
    ):
        owner.save()


def test_garbage_goes_when_it_is_due(blobs: BlobStore, bucket: Bucket) -> None:
    due, later = blob(blobs), blob(blobs)
    with platform_scope("tests"):
        for blob_id, at in ((due, -1), (later, 60), (new_id(), -1)):
            BlobGarbage.objects.create(
                tenant=bucket.tenant, blob=blob_id, due_at=timezone.now() + timedelta(seconds=at)
            )
    assert sweeps.remove_garbage() == 2
    assert there(blobs) == {later}
    with platform_scope("tests"):
        assert [g.blob for g in BlobGarbage.objects.all()] == [later]


def test_strays_go_and_whatever_a_row_names_stays(blobs: BlobStore, bucket: Bucket) -> None:
    old = 2 * sweeps.STRAY_AGE
    stray, fresh, named, older, part, garbage = (blob(blobs, age) for age in (old, 0, old, old, old, old))
    row(bucket, "k", named)
    with platform_scope("tests"):
        ObjectVersion.objects.create(
            tenant=bucket.tenant, bucket=bucket, key="k", version_id="v1", size=1, etag="e", content_type="t",
            last_modified=timezone.now(), writer="w", blob=older,
        )  # fmt: skip
        upload = Upload.objects.create(
            tenant=bucket.tenant,
            bucket=bucket,
            key="k",
            content_type="",
            initiated_at=timezone.now(),
            writer="w",
        )
        UploadPart.objects.create(
            tenant=bucket.tenant,
            upload=upload,
            number=1,
            size=1,
            etag="e",
            last_modified=timezone.now(),
            blob=part,
        )
        BlobGarbage.objects.create(
            tenant=bucket.tenant, blob=garbage, due_at=timezone.now() + timedelta(hours=1)
        )
    (blobs.root / "tmp" / "half").write_bytes(b"x")
    os.utime(blobs.root / "tmp" / "half", (1, 1))
    assert sweeps.remove_strays() == 2
    assert there(blobs) == {fresh, named, older, part, garbage}
    assert stray not in there(blobs)


def test_every_table_that_names_a_blob_is_asked() -> None:
    models = apps.get_app_config("storage").get_models()
    assert set(sweeps.NAMING) == {
        m for m in models if any(field.name == "blob" for field in m._meta.get_fields())
    }


def test_uploads_that_nobody_ended(bucket: Bucket) -> None:
    with platform_scope("tests"):
        for age in (1, 8):
            upload = Upload.objects.create(
                tenant=bucket.tenant, bucket=bucket, key=f"{age} days", content_type="", writer="w",
                initiated_at=timezone.now() - timedelta(days=age),
            )  # fmt: skip
            UploadPart.objects.create(
                tenant=bucket.tenant, upload=upload, number=1, size=7, etag="e", last_modified=timezone.now(),
                blob=new_id(),
            )  # fmt: skip
        used(bucket, upload_bytes=14)
    assert sweeps.end_old_uploads() == 1
    with platform_scope("tests"):
        assert [u.key for u in Upload.objects.all()] == ["1 days"]
        assert Usage.objects.get().upload_bytes == 7
        assert usage.recount(bucket.tenant_id)


def intent(bucket: Bucket, key: str = "k", kind: str = "put", age: float = 60, **fields: Any) -> WriteIntent:
    now = timezone.now()
    with platform_scope("tests"):
        return WriteIntent.objects.create(
            tenant=bucket.tenant, bucket=bucket, key=key, kind=kind, content_type="text/css", writer="w",
            began_at=now - timedelta(seconds=age), next_check_at=now - timedelta(seconds=1), **fields,
        )  # fmt: skip


def outcome(tenant: Tenant) -> tuple[list[tuple[str, int, str]], list[str], list[str]]:
    """(rows, events, open intents) of a tenant; usage is checked on the way."""
    with platform_scope("tests"):
        if Usage.objects.exists():
            assert usage.recount(tenant.pk)
        rows = list(Object.objects.order_by("key").values_list("key", "size", "etag"))
        events = [
            f"{e.type.rpartition('.')[2]} {e.subject}"
            for e in Event.objects.filter(type__startswith="storage.object")
        ]
        return rows, events, [i.kind for i in WriteIntent.objects.all()]


def test_a_write_whose_answer_nobody_heard_is_committed(bucket: Bucket, far: FakeBackend) -> None:
    stored = far.put("gh-docs", "k", b"hello")
    intent(bucket, size=5)
    assert intents.settle() == 1
    assert intents.settle() == 0
    assert outcome(bucket.tenant) == ([("k", 5, stored.etag)], ["created docs/k"], [])


def test_a_write_of_unknown_size(bucket: Bucket, far: FakeBackend) -> None:
    stored = far.put("gh-docs", "k", b"hello")
    intent(bucket, size=0)
    assert intents.settle() == 1
    assert outcome(bucket.tenant)[0] == [("k", 5, stored.etag)]


@pytest.mark.parametrize("shown", ["nothing", "another size", "older", "what the row has"])
def test_a_write_that_does_not_show_waits_and_is_dropped_at_last(
    bucket: Bucket, far: FakeBackend, shown: str
) -> None:
    if shown != "nothing":
        stored = far.put("gh-docs", "k", b"hello" if shown != "another size" else b"hi")
        if shown == "older":
            far.objects["gh-docs"]["k"] = providers.RemoteObject(
                5, stored.etag, datetime.now(UTC) - timedelta(hours=2)
            )
        if shown == "what the row has":
            row(bucket, "k", etag=stored.etag, size=5)
            with platform_scope("tests"):
                used(bucket, bytes=5, objects_count=1)
    waiting = intent(bucket, size=5)
    assert intents.settle() == 0
    with platform_scope("tests"):
        waiting.refresh_from_db()
        assert timedelta(seconds=20) < waiting.next_check_at - timezone.now() < timedelta(seconds=45)
        long_ago = timezone.now() - 2 * GIVEN_UP
        if shown == "nothing":
            WriteIntent.objects.update(began_at=long_ago, next_check_at=long_ago)
            assert intents.settle() == 1
    _, events, left = outcome(bucket.tenant)
    assert events == []
    assert left == ([] if shown == "nothing" else ["put"])


def test_a_delete_whose_answer_nobody_heard(bucket: Bucket, far: FakeBackend) -> None:
    row(bucket, "k", size=5)
    with platform_scope("tests"):
        used(bucket, bytes=5, objects_count=1)
    intent(bucket, kind="delete")
    assert intents.settle() == 1
    assert outcome(bucket.tenant) == ([], ["deleted docs/k"], [])


@pytest.mark.parametrize("shown", [b"first", b"second", None])
def test_overlapping_writes_end_as_the_backend_has_it(
    bucket: Bucket, far: FakeBackend, shown: bytes | None
) -> None:
    first = far.put("gh-docs", "k", b"first")
    row(bucket, "k", etag=first.etag, size=5)
    with platform_scope("tests"):
        used(bucket, bytes=5, objects_count=1)
    if shown is None:
        del far.objects["gh-docs"]["k"]
    else:
        far.put("gh-docs", "k", shown)
    intent(bucket, kind="verify", contested=True)
    assert intents.settle() == 1
    rows, events, left = outcome(bucket.tenant)
    assert left == []
    assert [size for _, size, _ in rows] == ([] if shown is None else [len(shown)])
    assert events == {b"first": [], b"second": ["created docs/k"], None: ["deleted docs/k"]}[shown]


def test_of_overlapping_writes_that_are_under_way_none_takes_the_others_doing(
    bucket: Bucket, far: FakeBackend
) -> None:
    slow, quick = intent(bucket, size=5), intent(bucket, size=5)
    later = timezone.now() + timedelta(hours=1)
    with platform_scope("tests"):
        WriteIntent.objects.filter(pk=quick.pk).update(next_check_at=later)
    far.put("gh-docs", "k", b"quick")
    assert intents.settle() == 0
    assert outcome(bucket.tenant) == ([], [], ["put", "put"])
    with platform_scope("tests"):  # the slow one came, and was verified too early
        WriteIntent.objects.filter(pk=slow.pk).update(kind="verify", next_check_at=timezone.now())
    assert intents.settle() == 0
    assert outcome(bucket.tenant)[:2] == ([], [])
    with platform_scope("tests"):
        WriteIntent.objects.filter(pk=quick.pk).delete()
        WriteIntent.objects.update(next_check_at=timezone.now())
    assert intents.settle() == 1


def test_of_a_key_that_is_always_being_written_one_write_waits_to_be_verified(
    bucket: Bucket, far: FakeBackend
) -> None:
    _, _, last = (intent(bucket, kind="verify", contested=True, size=1, age=age) for age in (90, 80, 70))
    elsewhere = intent(bucket, "other", kind="verify", contested=True, size=1, age=99)
    under_way = (intent(bucket, size=1, age=60), intent(bucket, "other", size=1, age=60))
    assert intents.settle() == 0
    with platform_scope("tests"):
        left = set(WriteIntent.objects.values_list("pk", flat=True))
    assert left == {one.pk for one in (last, elsewhere, *under_way)}


def test_a_complete_whose_answer_nobody_heard_ends_its_upload(bucket: Bucket, far: FakeBackend) -> None:
    stored = far.put("gh-docs", "k", b"hello")
    with platform_scope("tests"):
        ended, other = (
            Upload.objects.create(
                tenant=bucket.tenant, bucket=bucket, key="k", content_type="", writer="w", remote_id=f"far-{n}",
                initiated_at=timezone.now(),
            )
            for n in range(2)
        )  # fmt: skip
        for upload in (ended, other):
            UploadPart.objects.create(
                tenant=bucket.tenant, upload=upload, number=1, size=5, etag="e", last_modified=timezone.now()
            )
        used(bucket, upload_bytes=10)
    intent(bucket, size=5, parts=[{"size": 5, "checksums": {}}], completes=ended.pk)
    assert intents.settle() == 1
    assert outcome(bucket.tenant)[0] == [("k", 5, stored.etag)]
    with platform_scope("tests"):
        assert list(Upload.objects.all()) == [other]
        assert (Usage.objects.get().bytes, Usage.objects.get().upload_bytes) == (5, 5)


def test_what_won_is_not_described_as_what_lost(bucket: Bucket, far: FakeBackend) -> None:
    lost = far.put("gh-docs", "k", b"first")
    row(bucket, "k", etag=lost.etag, size=5)
    with platform_scope("tests"):
        used(bucket, bytes=5, objects_count=1)
    won = replace(far.put("gh-docs", "k", b"second"), content_type="text/won", metadata={"who": "won"})
    far.objects["gh-docs"]["k"] = won
    intent(
        bucket, kind="verify", contested=True, size=5, metadata={"who": "lost"}, tags={"who": "lost"},
        headers={"cache-control": "lost"}, checksums={"crc32": "lost"}, parts=[{"size": 5, "checksums": {}}],
    )  # fmt: skip
    assert intents.settle() == 1
    with platform_scope("tests"):
        now = Object.objects.get()
    assert (now.etag, now.size, now.content_type) == (won.etag, 6, "text/won")
    assert (now.metadata, now.headers, now.tags) == ({"who": "won"}, {}, {})
    assert (now.checksums, now.parts) == ({}, None)


def test_what_broke_off_takes_nothing_of_who_writes_it_again(bucket: Bucket, far: FakeBackend) -> None:
    broken, again = intent(bucket, "k", size=1), intent(bucket, "k", size=1)
    with platform_scope("tests"):
        WriteIntent.objects.filter(pk=broken.pk).update(ended_at=timezone.now() - intents.UNHEARD)
        WriteIntent.objects.filter(pk=again.pk).update(next_check_at=timezone.now() + intents.UNHEARD)
    far.put("gh-docs", "k", b"1")
    assert intents.settle() == 0
    with platform_scope("tests"):
        WriteIntent.objects.update(ended_at=timezone.now() - intents.UNHEARD, next_check_at=timezone.now())
        assert intents.settle() == 2
        assert Event.objects.filter(type="storage.object.created", subject="docs/k").count() == 1


HOLDER = 4711


@pytest.fixture
def there_is_the_holder() -> Iterator[None]:
    """A decision process of that number, as others see it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s, %s)", [PROCESS, HOLDER])
        yield
        cursor.execute("SELECT pg_advisory_unlock_shared(%s, %s)", [PROCESS, HOLDER])


def test_the_end_of_a_write_is_waited_for_while_its_process_is_there(
    bucket: Bucket, far: FakeBackend, there_is_the_holder: None
) -> None:
    intent(bucket, size=5, age=6000, holder=HOLDER)
    assert intents.settle() == 0
    assert outcome(bucket.tenant)[2] == ["put"]


def test_a_delete_of_our_own_that_died_holds_up_nobody_for_long(bucket: Bucket, far: FakeBackend) -> None:
    far.put("gh-docs", "k", b"there still")
    intent(bucket, kind="delete", age=100)
    assert intents.settle() == 0
    with platform_scope("tests"):
        WriteIntent.objects.update(
            began_at=timezone.now() - removals.LONGEST_CALL, next_check_at=timezone.now()
        )
    assert intents.settle() == 1
    assert outcome(bucket.tenant) == ([], [], [])


def test_a_put_whose_process_is_gone_counts_nothing(bucket: Bucket, far: FakeBackend) -> None:
    young, old = (intent(bucket, key, size=5, age=age, holder=HOLDER) for key, age in (("a", 20), ("b", 90)))
    gone = intent(bucket, "c", kind="delete", age=90, holder=HOLDER)
    far.put("gh-docs", "c", b"there still")
    assert intents.settle() == 1
    with platform_scope("tests"):
        kinds = dict(WriteIntent.objects.values_list("pk", "kind"))
        assert (kinds.get(young.pk), kinds.get(old.pk), kinds.get(gone.pk)) == ("put", "lost", None)
        # The edge may still be at it, for hours.
        WriteIntent.objects.update(
            ended_at=timezone.now() - 60 * intents.UNHEARD, next_check_at=timezone.now()
        )
        WriteIntent.objects.filter(pk=young.pk).delete()
    assert intents.settle() == 0
    stored = far.put("gh-docs", "b", b"hello")
    with platform_scope("tests"):
        WriteIntent.objects.update(next_check_at=timezone.now())
    assert intents.settle() == 1
    assert outcome(bucket.tenant)[:2] == ([("b", 5, stored.etag)], ["created docs/b"])


def test_what_its_process_ended_before_it_went_is_dropped(bucket: Bucket, far: FakeBackend) -> None:
    intent(bucket, size=5, age=90, holder=HOLDER, ended_at=timezone.now() - intents.UNHEARD)
    assert intents.settle() == 1
    assert outcome(bucket.tenant)[2] == []


@pytest.mark.parametrize("is_known", [True, False])
def test_a_lost_put_keeps_no_bucket(bucket: Bucket, far: FakeBackend, is_known: bool) -> None:
    intent(bucket, size=5, age=90, holder=HOLDER)
    if is_known:
        assert intents.settle() == 0
    assert intents.settle(bucket) == 1
    assert outcome(bucket.tenant)[2] == []


def test_a_backend_that_does_not_answer_is_asked_again(bucket: Bucket, far: FakeBackend) -> None:
    far.put("gh-docs", "one", b"1"), far.put("gh-docs", "two", b"2")
    far.failures = [providers.Unreachable("no answer")]
    intent(bucket, "one", size=1), intent(bucket, "two", size=1)
    assert intents.settle() == 1
    with platform_scope("tests"):
        WriteIntent.objects.update(next_check_at=timezone.now())
    assert intents.settle() == 1
    assert len(outcome(bucket.tenant)[0]) == 2


def test_a_recount_finds_and_mends_drift(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    row(bucket, "k", size=5)
    with platform_scope("tests"):
        assert not usage.recount(bucket.tenant_id)
        assert "was" in caplog.text
        assert usage.recount(bucket.tenant_id)
        assert usage.of_tenant(bucket.tenant_id)["storage_bytes"] == 5
