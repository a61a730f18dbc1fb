"""Multipart uploads: parts into our own store (or, by `remote`, to the backend), joined when completed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from gateway.decision.types import Answer, Decision
from storage.errors import StorageRefusal, UploadGone
from storage.index import BucketInfo, PartRow, PutCommit, UploadRow
from storage.s3 import answers, checksums, conditional, headers, receive, remote, xml
from storage.s3.body import Receive
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.receive import Promised
from storage.s3.request import Request
from storage.s3.text import uri_encode
from storage.s3.xml import WantedPart

# What an upload remembers beside the object's own headers.
ALGORITHM, TYPE = "x-amz-checksum-algorithm", "x-amz-checksum-type"


async def create(request: Request, front: Front, receive_body: Receive) -> Answer:
    bucket = request.bucket
    kept = headers.wanted(request.bucket, request.headers)
    algorithm, kind = checksums.multipart(request.headers)
    asked = ALGORITHM in request.headers
    put = PutCommit(
        bucket=bucket,
        key=request.key,
        size=0,
        etag="",
        last_modified=datetime.now(UTC),
        actor=request.access.actor,
        content_type=kept.content_type,
        metadata=kept.metadata,
        headers={**kept.headers, ALGORITHM: algorithm, TYPE: kind},
    )
    if bucket.kind == "s3":
        upload = await remote.create_upload(put, front)
    else:
        upload = await front.index.create_upload(put)
    named = [(ALGORITHM, algorithm.upper()), (TYPE, kind)] if asked else []
    return answers.xml(xml.initiate(bucket.name, request.key, upload.id), named)


async def upload_part(request: Request, front: Front, receive_body: Receive) -> Answer:
    bucket = request.bucket
    part_number = request.part_number
    if bucket.kind == "s3":
        return await remote.stream_part(request, bucket, front, receive_body)
    promised = Promised(request)
    upload = await front.index.get_upload(bucket, request.key, request.query["uploadId"])
    await front.check_room(bucket, promised.size)
    keep = {upload.headers[ALGORITHM]}
    if promised.checksum:
        keep.add(promised.checksum.algorithm)
    info = await receive.into_store(front, promised, receive_body, keep=keep)
    part = PartRow(part_number, info.size, info.md5, info.modified, info.id, info.checksums)
    try:
        await front.index.record_part(bucket, upload.id, part)
    except StorageRefusal:
        await receive.discard(front, info)
        raise
    given = {promised.algorithm: info.checksums[promised.algorithm]} if promised.checksum else {}
    return answers.empty(
        200,
        [("ETag", f'"{part.etag}"'), *((f"x-amz-checksum-{name}", value) for name, value in given.items())],
    )


async def complete(request: Request, front: Front, receive_body: Receive) -> Answer:
    """Join the parts into the object. Asked again after it was done, it says so again, as S3 does."""
    bucket = request.bucket
    wanted = xml.read_complete(
        await receive.document(_without_checksum(request), receive_body, xml.MAX_COMPLETE)
    )
    upload_id = request.query["uploadId"]
    try:
        upload = await front.index.get_upload(bucket, request.key, upload_id)
        chosen = await front.index.choose_parts(
            bucket, upload_id, [(part.number, part.etag) for part in wanted]
        )
    except UploadGone:
        return await _completed_before(request, front, bucket, wanted)
    _check_parts(wanted, chosen)
    stored = _whole_checksum(request, upload, chosen)
    size = sum(part.size for part in chosen)
    _check_size(request, size)
    put = PutCommit(
        bucket=bucket,
        key=request.key,
        size=size,
        etag=etag_of([part.etag for part in chosen]) if bucket.kind == "local" else "",
        last_modified=datetime.now(UTC).replace(microsecond=0),
        actor=request.access.actor,
        content_type=upload.content_type,
        metadata=upload.metadata,
        headers={name: value for name, value in upload.headers.items() if name not in (ALGORITHM, TYPE)},
        checksums=stored,
        expected=conditional.expectation(request.headers),
    )
    if bucket.kind == "s3":
        put = await remote.complete_upload(upload, chosen, put, front)
    else:
        await _join(front, upload, chosen, put)
    return _completed(request, put.etag, put.checksums)


async def abort(request: Request, front: Front, receive_body: Receive) -> Answer:
    bucket = request.bucket
    upload = await front.index.abort_upload(bucket, request.key, request.query["uploadId"])
    if bucket.kind == "s3":
        await remote.abort_upload(upload, bucket, front)
    return answers.empty(204)


async def list_parts(request: Request, front: Front) -> Decision:
    bucket = request.bucket
    upload = await front.index.get_upload(bucket, request.key, request.query["uploadId"])
    marker = request.number("part-number-marker", xml.MAX_PARTS, default=0)
    most = request.number("max-parts", xml.MAX_KEYS)
    parts, following = await front.index.list_parts(bucket, upload.id, marker, most)
    return answers.xml(
        xml.list_parts(bucket.name, request.key, upload.id, parts, marker, most, following, request.owner)
    )


async def list_uploads(request: Request, front: Front) -> Decision:
    query = request.query
    xml.Encoding(query)
    most = request.number("max-uploads", xml.MAX_KEYS)
    bucket = request.bucket
    after = (query["key-marker"], query.get("upload-id-marker", "")) if query.get("key-marker") else None
    page = await front.index.list_uploads(
        bucket, query.get("prefix", ""), query.get("delimiter", ""), after, most
    )
    return answers.xml(xml.list_uploads(bucket.name, query, page, most, request.owner))


def etag_of(etags: Sequence[str]) -> str:
    """An upload's ETag: the MD5 of its parts' MD5s, and how many they are."""
    digests = b"".join(bytes.fromhex(etag) for etag in etags)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(etags)}"


async def _join(front: Front, upload: UploadRow, chosen: Sequence[PartRow], put: PutCommit) -> None:
    info = await front.store.join([part.blob for part in chosen if part.blob is not None])
    try:
        await front.index.complete_upload(
            upload, replace(put, blob=info.id, size=info.size, last_modified=info.modified)
        )
    except StorageRefusal:
        await receive.discard(front, info)
        raise


async def _completed_before(
    request: Request, front: Front, bucket: BucketInfo, wanted: Sequence[WantedPart]
) -> Answer:
    """The answer to a Complete that was carried out before: the object is the one it asked for."""
    row = await front.index.head(bucket, request.key)
    try:
        etag = etag_of([part.etag for part in wanted])
    except ValueError:
        etag = ""
    if row is None or row.etag != etag:
        raise S3Error("NoSuchUpload")
    return _completed(request, row.etag, row.checksums)


def _completed(request: Request, etag: str, stored: Mapping[str, str]) -> Answer:
    head = request.head
    location = (
        f"{head.scheme}://{request.headers['host']}/s3/{request.bucket_name}/{uri_encode(request.key, '/')}"
    )
    return answers.xml(xml.complete(location, request.bucket_name, request.key, etag, stored))


def _check_parts(wanted: Sequence[WantedPart], chosen: Sequence[PartRow]) -> None:
    for asked, part in zip(wanted, chosen, strict=True):
        for name, value in asked.checksums.items():
            if name in part.checksums and part.checksums[name] != value:
                raise S3Error("InvalidPart", extra={"PartNumber": str(part.number)})


def _check_size(request: Request, size: int) -> None:
    announced = request.headers.get("x-amz-mp-object-size")
    if announced is not None and announced != str(size):
        raise S3Error(
            "InvalidRequest", "The size of the parts is not the x-amz-mp-object-size you specified."
        )


def _whole_checksum(request: Request, upload: UploadRow, chosen: Sequence[PartRow]) -> dict[str, str]:
    """The object's checksum from its parts', compared with the one that the client gives for the whole."""
    algorithm, kind = upload.headers[ALGORITHM], upload.headers[TYPE]
    if any(algorithm not in part.checksums for part in chosen):
        return {}  # the parts went to a backend that computes none
    value = checksums.joined(algorithm, kind, [(part.checksums[algorithm], part.size) for part in chosen])
    given = request.headers.get(f"x-amz-checksum-{algorithm}")
    if given is not None and given != value and given != value.partition("-")[0]:
        raise S3Error(
            "BadDigest", f"The {algorithm.upper()} you specified did not match the calculated checksum."
        )
    return {algorithm: value}


def _without_checksum(request: Request) -> Request:
    """CompleteMultipartUpload's x-amz-checksum-* headers are the object's, not those of its own document."""
    return replace(
        request,
        headers={
            name: value for name, value in request.headers.items() if not name.startswith("x-amz-checksum-")
        },
    )
