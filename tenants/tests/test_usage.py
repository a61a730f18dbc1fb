"""Usage is exact: writers at the limit's edge let one in too many never, and leave nothing counted wrong."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Forbidden, NotFound, QuotaExceeded
from realtime.models import Event
from storage.models import AccessKey, Bucket, Object, Usage
from storage.services import access_keys, backends, buckets, objects
from storage.services import usage as stored
from tenants.models import ApiKey, Membership, Tenant
from tenants.services import api_keys, tenants, usage, users
from tests import factories
from tests.factories import client

WRITERS, ROUNDS = 6, 12
LIMITS = {"storage_bytes": 5_000, "users": 5, "api_keys": 4, "access_keys": 4, "buckets": 4}


def _put(bucket: Bucket, key: str, size: int) -> str | None:
    """The verdict of the data plane's own function."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT verdicts FROM storage_commit(%s, true, ARRAY[false], ARRAY[%s], ARRAY[%s], ARRAY[%s::bigint],"
            " ARRAY['e'], ARRAY['text/plain'], ARRAY['{}'::jsonb], ARRAY['{}'::jsonb], ARRAY['{}'::jsonb],"
            " ARRAY[now()], ARRAY[NULL::text], ARRAY[%s::bytea], ARRAY['w'])",
            [bucket.tenant_id, bucket.pk, key, size, b"x" * size],
        )
        verdict: str | None = cursor.fetchone()[0][0]
        return verdict


@pytest.mark.django_db(transaction=True)
def test_parallel_writers_at_the_edge_of_every_limit() -> None:
    backends.ensure_default_backends()
    tenant, staff = factories.tenant(), factories.staff()
    owner = factories.member(tenant, "owner")
    with tenant_scope(tenant.pk):
        bucket = buckets.create_bucket("shared", actor=owner)
    tenants.update_tenant(tenant, limits=dict(LIMITS), actor=staff)
    done, seen = Counter[str](), list[dict[str, int]]()
    over, end = threading.Event(), threading.Event()

    def objects_(random: random.Random, n: int) -> None:
        key = f"k{random.randrange(8)}"
        if random.random() < 0.4:
            objects.delete_object(bucket, key, actor=owner)
        elif _put(bucket, key, random.randrange(1, 2_000)) == "quota":
            raise QuotaExceeded("no room")

    def keys(random: random.Random, n: int) -> None:
        key, _ = api_keys.issue_key(f"key-{n}", actor=owner)
        if random.random() < 0.7:
            api_keys.revoke_key(key, actor=owner)

    def s3_keys(random: random.Random, n: int) -> None:
        key, _ = access_keys.issue_access_key(f"key-{n}", actor=owner)
        if random.random() < 0.7:
            access_keys.revoke_access_key(key, actor=owner)

    def people(random: random.Random, n: int) -> None:
        name = f"{tenant.slug}-person-{n}-{random.random()}"
        member = users.create_user(tenant, name, password=None, role="viewer", actor=staff)
        if random.random() < 0.7:
            users.deactivate_user(member, actor=staff)

    def rooms(random: random.Random, n: int) -> None:
        made = buckets.create_bucket(f"bucket-{n}-{random.randrange(10**9)}", actor=owner)
        if random.random() < 0.7:
            buckets.delete_bucket(made, actor=owner)

    kinds: tuple[Callable[[random.Random, int], None], ...] = (objects_, keys, s3_keys, people, rooms)

    def write(n: int) -> None:
        chance = random.Random(n)
        try:
            for _ in range(ROUNDS):
                for kind in kinds:
                    with tenant_scope(tenant.pk):
                        try:
                            kind(chance, n)
                            done[f"{kind.__name__} done"] += 1
                        except QuotaExceeded:
                            done[f"{kind.__name__} refused"] += 1
                        except NotFound:
                            done[f"{kind.__name__} gone"] += 1
        finally:
            connection.close()

    def watch() -> None:
        try:
            while not end.is_set():
                with tenant_scope(tenant.pk):
                    now = usage.of_tenant(tenant.pk)
                seen.append(now)
                if any(now[name] > most for name, most in LIMITS.items()):
                    over.set()
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        watcher = pool.submit(watch)
        writers = [pool.submit(write, n) for n in range(WRITERS)]
        for writer in writers:
            writer.result()
        end.set()
        watcher.result()
    for kind in kinds:
        assert done[f"{kind.__name__} done"], done
    assert sum(count for what, count in done.items() if what.endswith("refused")) > 0, done
    assert not over.is_set(), [now for now in seen if any(now[name] > most for name, most in LIMITS.items())]
    with tenant_scope(tenant.pk):
        now = usage.of_tenant(tenant.pk)
        rows = Object.objects.filter(tenant=tenant)
        assert now == {
            "storage_bytes": sum(rows.values_list("size", flat=True)),
            "objects": rows.count(),
            "buckets": Bucket.objects.filter(tenant=tenant).count(),
            "access_keys": AccessKey.objects.filter(
                tenant=tenant, revoked_at=None, is_internal=False
            ).count(),
            "users": Membership.objects.filter(tenant=tenant, is_active=True).count(),
            "api_keys": ApiKey.objects.filter(tenant=tenant, revoked_at=None).count(),
            "workspaces": 0,
            "services": 0,
        }
        assert stored.recount(tenant.pk)  # it was right


def _bend(tenant: Tenant, by: int) -> None:
    """What no code of ours does."""
    with platform_scope("test"):
        stored.recount(tenant.pk)
        row = Usage.objects.get(tenant=tenant)
        row.bytes, row.objects_count = row.bytes + by, row.objects_count + 1
        row.save()


@pytest.mark.django_db
def test_a_recount_tells_and_mends_what_was_wrong() -> None:
    tenant, root = factories.tenant(), client(factories.staff())
    path = f"/api/v1/tenants/{tenant.public_id}/usage"
    assert root.post(path + "/recount").json()["data"] == {"was_right": True}
    _bend(tenant, 500)
    assert root.get(path).json()["data"]["usage"]["storage_bytes"] == 500
    assert usage.recount_all() == 1
    assert root.get(path).json()["data"]["usage"]["storage_bytes"] == 0
    assert root.post(path + "/recount").json()["data"] == {"was_right": True}
    with platform_scope("test"):
        (event,) = Event.objects.filter(tenant=tenant, type="tenants.usage.corrected")
        assert event.data == {"storage_bytes": {"was": 500, "is": 0}, "objects": {"was": 1, "is": 0}}
    admin = factories.member(tenant)
    assert client(admin).post(path + "/recount").status_code == 403
    with pytest.raises(Forbidden):
        usage.recount(tenant, actor=admin)
