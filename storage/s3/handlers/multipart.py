"""Multipart uploads: parts into our own store (or, by `remote`, to the backend), joined when completed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from gateway.decision.types import Answer, Decision
from storage.errors import StorageRefusal, UploadGone
from storage.index import BucketInfo, ObjectRow, PartRow, PutCommit, UploadRow
from storage.s3 import (
    answers,
    checksums,
    conditional,
    encryption,
    expiration,
    headers,
    parts,
    receive,
    remote,
    xml,
    xml_multipart,
)
from storage.s3.body import Receive
from storage.s3.checksums import ALGORITHM, TYPE
from storage.s3.encryption import Writing
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.receive import Promised
from storage.s3.request import Request
from storage.s3.text import uri_encode
from storage.s3.xml_multipart import WantedPart
from storage.store.digests import multipart_etag


async def create(request: Request, front: Front, receive_body: Receive) -> Answer:
    bucket = request.bucket
    kept = headers.wanted(bucket, request.headers)
    algorithm, kind = checksums.multipart(request.headers)
    asked = ALGORITHM in request.headers
    writing = encryption.writing(request, bucket)
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
        tags=kept.tags,
        lock=kept.lock,
        sse=writing.kept,
    )
    if bucket.kind == "s3":
        upload = await remote.create_upload(put, front, request.headers)
    else:
        upload = await front.index.create_upload(put)
    named = [(ALGORITHM, algorithm.upper()), (TYPE, kind)] if asked else []
    return answers.xml(
        xml_multipart.initiated(bucket.name, request.key, upload.id), [*named, *writing.headers]
    )


async def upload_part(request: Request, front: Front, receive_body: Receive) -> Answer:
    bucket = request.bucket
    part_number = request.part_number
    if bucket.kind == "s3":
        return await remote.stream_part(request, bucket, front, receive_body)
    promised = Promised(request)
    upload = await front.index.get_upload(bucket, request.key, request.query["uploadId"])
    writing = encryption.writing_part(request, bucket, upload)
    keep = {upload.headers[ALGORITHM]}
    if promised.checksum:
        keep.add(_fitting(upload, promised.checksum.algorithm))
    await front.check_room(bucket, promised.size)
    info = await receive.into_store(front, promised, receive_body, keep=keep, sealing=writing.key)
    part = PartRow(
        part_number,
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
    given = {promised.algorithm: info.checksums[promised.algorithm]} if promised.checksum else {}
    return answers.empty(
        200,
        [
            ("ETag", f'"{part.etag}"'),
            *((f"x-amz-checksum-{name}", value) for name, value in given.items()),
            *writing.headers,
        ],
    )


async def complete(request: Request, front: Front, receive_body: Receive) -> Answer:
    """Join the parts into the object. Asked again after it was done, it says so again, as S3 does."""
    bucket = request.bucket
    body = await receive.document(_without_checksum(request), receive_body, xml_multipart.MAX_COMPLETE)
    wanted = xml_multipart.read_complete(body)
    if any(one.number > next_one.number for one, next_one in pairwise(wanted)):
        raise S3Error("InvalidPartOrder")
    # Of a part that was sent again, and is named again, the last one counts.
    wanted = list({part.number: part for part in wanted}.values())
    upload_id = request.query["uploadId"]
    try:
        upload = await front.index.get_upload(bucket, request.key, upload_id)
        chosen = await front.index.choose_parts(
            bucket, upload_id, [(part.number, part.etag) for part in wanted]
        )
    except UploadGone:
        return await _completed_before(request, front, bucket, wanted)
    # A customer's key must come once more.
    writing = Writing() if bucket.kind == "s3" else encryption.writing_part(request, bucket, upload)
    _check_parts(wanted, chosen)
    stored = _whole_checksum(request, upload, chosen)
    size = sum(part.size for part in chosen)
    _check_size(request, size)
    put = PutCommit(
        bucket=bucket,
        key=request.key,
        size=size,
        etag=multipart_etag(part.etag for part in chosen) if bucket.kind == "local" else "",
        last_modified=datetime.now(UTC).replace(microsecond=0),
        actor=request.access.actor,
        content_type=upload.content_type,
        metadata=upload.metadata,
        headers={name: value for name, value in upload.headers.items() if name not in (ALGORITHM, TYPE)},
        checksums=stored,
        expected=conditional.expectation(request.headers),
        tags=upload.tags,
        lock=upload.lock,
        sse=encryption.completed(upload, chosen) if bucket.kind == "local" else upload.sse,
        parts=parts.kept(chosen),
    )
    if bucket.kind == "s3":
        made = await remote.complete_upload(upload, chosen, put, front)
        return _completed(request, made.etag, put.checksums, made.headers)
    row = await _join(front, upload, chosen, put)
    described = [
        *headers.version(row),
        *expiration.header(bucket, row),
        *writing.headers,
    ]
    return _completed(request, row.etag, row.checksums, described)


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
    rows, following = await front.index.list_parts(bucket, upload.id, marker, most)
    return answers.xml(xml_multipart.parts(bucket.name, upload, rows, marker, most, following, request.owner))


async def list_uploads(request: Request, front: Front) -> Decision:
    query = request.query
    xml.Encoding(query)
    most = request.number("max-uploads", xml.MAX_KEYS)
    bucket = request.bucket
    marker = query.get("upload-id-marker", "")
    after = (query["key-marker"], marker) if query.get("key-marker") else None
    try:
        page = await front.index.list_uploads(
            bucket, query.get("prefix", ""), query.get("delimiter", ""), after, most
        )
    except UploadGone:
        raise S3Error(
            "InvalidArgument",
            "Invalid uploadId marker",
            extra={"ArgumentName": "upload-id-marker", "ArgumentValue": marker},
        ) from None
    return answers.xml(xml_multipart.uploads(bucket.name, query, page, most, request.owner))


async def _join(front: Front, upload: UploadRow, chosen: Sequence[PartRow], put: PutCommit) -> ObjectRow:
    info = await front.store.join([part.blob for part in chosen if part.blob is not None])
    try:
        return await front.index.complete_upload(
            upload, replace(put, blob=info.id, last_modified=info.modified)
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
        etag = multipart_etag(part.etag for part in wanted)
    except ValueError:
        etag = ""
    if row is None or row.etag != etag:
        raise S3Error("NoSuchUpload")
    return _completed(request, row.etag, row.checksums, [*headers.version(row), *encryption.headers(row.sse)])


def _completed(
    request: Request, etag: str, stored: Mapping[str, str], described: Sequence[tuple[str, str]] = ()
) -> Answer:
    head = request.head
    location = (
        f"{head.scheme}://{request.headers['host']}/s3/{request.bucket_name}/{uri_encode(request.key, '/')}"
    )
    document = xml_multipart.completed(location, request.bucket_name, request.key, etag, stored)
    return answers.xml(document, described)


def _fitting(upload: UploadRow, algorithm: str) -> str:
    """The part's checksum algorithm, when an upload that has chosen one has chosen it. Raises InvalidRequest."""
    chosen = upload.headers[ALGORITHM]
    if algorithm != chosen != checksums.DEFAULT:
        raise S3Error(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {chosen}, "
            f"actual checksum Type: {algorithm}",
        )
    return algorithm


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
    wanted_kind = request.headers.get(TYPE)
    if wanted_kind is not None and wanted_kind.upper() != kind:
        raise S3Error(
            "InvalidRequest",
            f"The upload was created using the {kind} checksum mode. The complete request must use the same "
            "checksum mode.",
        )
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
