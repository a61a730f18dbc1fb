"""PutObject into our own store."""

from dataclasses import replace

from gateway.decision.types import Answer
from storage.errors import BucketGone, StorageRefusal
from storage.index import BucketInfo, ObjectRow, PartRow, PutCommit, UploadRow
from storage.s3 import answers, conditional, encryption, expiration, headers, receive, remote
from storage.s3.body import Receive
from storage.s3.encryption import Writing
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.receive import Promised
from storage.s3.request import Request
from storage.store.digests import BlobInfo


async def put(request: Request, front: Front, receive_body: Receive) -> Answer:
    """Store the body and commit it; the answer is sent when both are durable."""
    bucket = request.bucket
    if bucket.kind == "s3":
        return await remote.stream_put(request, bucket, front, receive_body)
    promised = Promised(request)
    kept = headers.wanted(bucket, request.headers)
    if kept.lock:
        receive.require_digest(request)
    expected = conditional.expectation(request.headers)
    writing = encryption.writing(request, bucket)
    await front.check_room(bucket, promised.size, request.key)
    info = await receive.into_store(
        front,
        promised,
        receive_body,
        keep={promised.algorithm},
        inline_limit=front.inline_limit,
        sealing=writing.key,
    )
    commit = PutCommit(
        bucket=bucket,
        key=request.key,
        size=info.size,
        etag=writing.etag(info),
        last_modified=info.modified,
        actor=request.access.actor,
        content_type=kept.content_type,
        metadata=kept.metadata,
        headers=kept.headers,
        checksums=info.checksums,
        blob=info.id,
        inline=info.inline,
        expected=expected,
        tags=kept.tags,
        lock=kept.lock,
        sse=writing.row(info),
    )
    row = await commit_or_discard(front, commit, info)
    return answers.empty(
        200,
        [
            ("ETag", f'"{row.etag}"'),
            *headers.checksum(row.checksums),
            *headers.version(row),
            *expiration.header(commit.bucket, row),
            *writing.headers,
        ],
    )


async def commit_or_discard(front: Front, commit: PutCommit, info: BlobInfo) -> ObjectRow:
    """Commit a stored body; one that is refused leaves no blob behind.

    A bucket deleted and made again meanwhile has a new id, which the snapshot may not know yet.
    """
    try:
        try:
            return await front.index.commit_put(commit)
        except BucketGone:
            bucket = await front.bucket(commit.bucket.tenant_id, commit.bucket.name, fresh=True)
            if bucket.id == commit.bucket.id or bucket.kind != "local":
                raise
            return await front.index.commit_put(replace(commit, bucket=bucket))
    except (StorageRefusal, S3Error):
        await receive.discard(front, info)
        raise


async def record_or_discard(
    front: Front, upload: UploadRow, bucket: BucketInfo, number: int, info: BlobInfo, writing: Writing
) -> PartRow:
    """A part that our own store has taken; where the index refuses it, its blob goes."""
    part = PartRow(
        number,
        info.size,
        writing.etag(info),
        info.modified,
        info.id,
        info.checksums,
        sse=writing.part(info),
    )
    try:
        await front.index.record_part(bucket, upload.id, part)
    except StorageRefusal:
        await receive.discard(front, info)
        raise
    return part
