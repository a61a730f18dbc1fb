"""A list of 1,000 in buckets of ten thousand and of a million keys."""

from __future__ import annotations

from collections.abc import Iterator

from bench import load
from bench.load import Load
from bench.peers import Peers
from bench.table import Row
from tests.instance import Instance, Member

SIZES = (10_000, 1_000_000)

# Rows as a million PUTs would have left them, without their million round trips.
_FILL = """
from django.db import connection
from gateway.db.scope import platform_scope
from storage.models import Bucket
from storage.services import rows
with platform_scope("bench"), rows.writing():
    bucket = Bucket.objects.get(tenant__slug={slug!r}, name={name!r})
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO storage_object (tenant_id, bucket_id, key, size, etag, content_type, metadata, headers,"
            " checksums, last_modified, writer, inline)"
            " SELECT %s, %s, lpad((n / 1000)::text, 4, '0') || '/' || md5(n::text), 1, md5(n::text), 't', '{{}}',"
            " '{{}}', '{{}}', now(), 'bench', 'x' FROM generate_series(1, {count}) n",
            [bucket.tenant_id, bucket.pk],
        )
        cursor.execute("ANALYZE storage_object")
"""


def listing(instance: Instance, peers: Peers) -> Iterator[Row]:
    """p50 of one list at a time, from places all over the bucket; the peer is the small bucket."""
    member = instance.member()
    times = {}
    for count in SIZES:
        name = member.bucket(f"keys-{count}")
        done = instance.manage("shell", "-c", _FILL.format(slug=member.slug, name=name, count=count))
        if done.returncode:
            raise RuntimeError(done.stderr)
        times[count] = load.run(
            Load(instance.port, _lists(member, name, count), connections=1, seconds=5)
        ).p50
    small, large = (times[count] for count in SIZES)
    yield Row("list of 1,000 in a million keys, p50 (in 10,000)", "ms", large, small, less_is_better=True)


def _lists(member: Member, bucket: str, count: int) -> list[str]:
    client = member.s3(signature_version="s3v4")
    starts = [f"{n * (count // 1000) // 100:04d}/" for n in range(99)]
    urls = [
        client.generate_presigned_url(
            "list_objects_v2", Params={"Bucket": bucket, "MaxKeys": 1000, "StartAfter": start}, ExpiresIn=3600
        )
        for start in starts
    ]
    return [url.removeprefix(member.url) for url in urls]
