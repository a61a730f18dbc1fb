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
from storage.s3.handlers.writes import record_or_discard
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
        xml_multipart.initiated(bucket.name, request.key, upload.id),
        [*named, *expiration.abort_header(bucket, request.key, upload.initiated), *writing.headers],
    )


async def upload_part(request: Request, front: Front, receive_body: Receive) -> Answer:
    bucket = request.bucket
    part_number = request.part_number
    if bucket.kind == "s3":
        return await remote.stream_part(request, bucket, front, receive_body)
    promised = Promised(request)
    upload = await front.index.get_upload(bucket, request.key, request.query["uploadId"])
    writing = encryption.writing_part(request, bucket, upload)
    given = promised.checksum.algorithm if promised.checksum else None
    _check_algorithm(upload, given)
    keep = {upload.headers[ALGORITHM], given or upload.headers[ALGORITHM]}
    await front.check_room(bucket, promised.size)
    info = await receive.into_store(front, promised, receive_body, keep=keep, sealing=writing.key)
    part = await record_or_discard(front, upload, bucket, part_number, info, writing)
    told = {given: info.checksums[given]} if given else {}
    return answers.empty(
        200,
        [
            ("ETag", f'"{part.etag}"'),
            *((f"x-amz-checksum-{name}", value) for name, value in told.items()),
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
    try:
        if bucket.kind == "s3":
            made = await remote.complete_upload(upload, chosen, put, front, request.headers)
            return _completed(request, made.etag, put.checksums, made.headers)
        await remote.check_expected(put.expected, bucket, request.key, front)  # before all of it is copied
        row = await _join(front, upload, chosen, put)
    except UploadGone:  # a client that waited too long asks again while the first is still joined
        return await _completed_before(request, front, bucket, wanted)
    described = [
        *headers.version(row),
        *expiration.header(bucket, row),
        *writing.headers,
    ]
    return _completed(request, row.etag, row.checksums, described)


async def abort(request: Request, front: Front, receive_body: Receive) -> Answer:
    bucket = request.bucket
    upload_id = request.query["uploadId"]
    if bucket.kind == "s3":
        # There first: an upload that only its backend knew would take room for ever.
        upload = await front.index.get_upload(bucket, request.key, upload_id)
        await remote.abort_upload(upload, bucket, front)
    await front.index.abort_upload(bucket, request.key, upload_id)
    return answers.empty(204)


async def list_parts(request: Request, front: Front) -> Decision:
    bucket = request.bucket
    upload = await front.index.get_upload(bucket, request.key, request.query["uploadId"])
    marker = request.number("part-number-marker", xml.MAX_PARTS, default=0)
    most = request.number("max-parts", xml.MAX_KEYS)
    rows, following = await front.index.list_parts(bucket, upload.id, marker, most)
    return answers.xml(
        xml_multipart.parts(bucket.name, upload, rows, marker, most, following, request.owner),
        expiration.abort_header(bucket, request.key, upload.initiated),
    )


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


def _check_algorithm(upload: UploadRow, given: str | None) -> None:
    """Whether a part gives the checksum that its upload has chosen. Raises InvalidRequest.

    As at AWS a part may give none where the checksum is of the whole object (S3 computes it), but not where it is
    made of what the client gives for the parts.
    """
    chosen, kind = upload.headers[ALGORITHM], upload.headers[TYPE]
    fits = chosen in (given, checksums.DEFAULT) if given else kind == checksums.FULL
    if not fits:
        raise S3Error(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {chosen}, "
            f"actual checksum Type: {given or 'null'}",
        )


def _check_parts(wanted: Sequence[WantedPart], chosen: Sequence[PartRow]) -> None:
    for asked, part in zip(wanted, chosen, strict=True):
        for name, value in asked.checksums.items():
            if name in part.checksums and part.checksums[name] != value:
                raise S3Error("InvalidPart", extra={"PartNumber": str(part.number)})


def _check_size(request: Request, size: int) -> None:
    announced = request.headers.get("x-amz-mp-object-size")
    if announced is None or announced == str(size):
        return
    header = "x-amz-mp-object-size header"
    if not announced.removeprefix("-").isdigit():
        raise S3Error("InvalidRequest", f"Value for {header} is invalid: '{announced[:32]}'")
    if announced.startswith("-"):
        raise S3Error("InvalidRequest", f"Value for {header} is less than zero: '{announced[:32]}'")
    raise S3Error(
        "InvalidRequest",
        f"The provided 'x-amz-mp-object-size' header value {announced[:32]} does not match what was computed: "
        f"{size}",
    )


def _whole_checksum(request: Request, upload: UploadRow, chosen: Sequence[PartRow]) -> dict[str, str]:
    """The object's checksum from its parts', compared with the one that the client gives for the whole."""
    algorithm, kind = upload.headers[ALGORITHM], upload.headers[TYPE]
    given = checksums.of_whole(request.headers)
    wanted_kind = request.headers.get(TYPE)
    if wanted_kind is not None and checksums.type_of(wanted_kind) != kind:
        raise S3Error(
            "InvalidRequest",
            f"The upload was created using the {kind} checksum mode. The complete request must use the same "
            "checksum mode.",
        )
    if any(algorithm not in part.checksums for part in chosen):
        return {}  # the parts went to a backend that computes none
    value = checksums.joined(algorithm, kind, [(part.checksums[algorithm], part.size) for part in chosen])
    fits = given is None or given.algorithm != algorithm or given.value in (value, value.partition("-")[0])
    if not fits:
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
