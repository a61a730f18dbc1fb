"""Multipart uploads on a backend: its own upload beside ours, parts through this process, Complete and Abort."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from gateway.decision.types import Answer
from storage.errors import UploadGone
from storage.index import BucketInfo, PartRow, PutCommit, UploadRow
from storage.s3 import answers, headers, signing
from storage.s3.backend import Backend
from storage.s3.body import Receive
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.receive import Promised
from storage.s3.request import Request
from storage.s3.text import escape, uri_encode

from . import wishes
from .alone import alone
from .writing import (
    VERSION,
    Checked,
    Written,
    backend_of,
    check_expected,
    etag_of,
    journalled,
    object_headers,
    send,
)


async def create_upload(put: PutCommit, front: Front, asked: Mapping[str, str] | None = None) -> UploadRow:
    """Start an upload on the backend and here. `asked` are the request's headers. Raises S3Error."""
    backend = await backend_of(put.bucket, front)
    signing.place(backend.info, put.bucket, put.key)
    sent = {**object_headers(put), **wishes.of_write(asked or {}, backend.info, put.bucket)}
    remote_id = (await backend.texts_of("POST", put.key, "uploads", "UploadId", headers=sent)).element
    try:
        return await front.index.create_upload(replace(put, sse=None), remote_id)
    except Exception:
        with suppress(S3Error):  # or it would take room there that nobody knows of
            await _abort(backend, put.key, remote_id)
        raise


async def stream_part(request: Request, bucket: BucketInfo, front: Front, receive_body: Receive) -> Answer:
    """UploadPart through this process."""
    promised = Promised(request)
    upload = await front.index.get_upload(bucket, request.key, request.query["uploadId"])
    await front.check_room(bucket, promised.size)
    content = Checked(promised, receive_body)
    part = await store_part(
        upload,
        bucket,
        request.part_number,
        promised.size,
        aiter(content),
        front,
        request.headers,
        content,
    )
    return answers.empty(
        200, [("ETag", f'"{part.etag}"'), *headers.checksum(content.checksums, checksum_kind(part))]
    )


async def store_part(
    upload: UploadRow,
    bucket: BucketInfo,
    number: int,
    size: int,
    content: AsyncIterator[bytes],
    front: Front,
    asked: Mapping[str, str] | None = None,
    checked: Checked | None = None,
) -> PartRow:
    """Write `content` as a part of an upload on the backend and keep it. Raises S3Error."""
    backend = await backend_of(bucket, front)
    sent = {"Content-Length": str(size), **wishes.of_customer(asked or {}, backend.info)}
    answered = await send(backend, upload.key, part_query(number, upload), sent, content, checked)
    now = datetime.now(UTC).replace(microsecond=0)
    checksums = checked.checksums if checked else {}
    part = PartRow(number, size, etag_of(answered), now, checksums=checksums)
    await front.index.record_part(bucket, upload.id, part)
    return part


async def complete_upload(
    upload: UploadRow, chosen: Sequence[PartRow], put: PutCommit, front: Front, asked: Mapping[str, str]
) -> Written:
    """Complete the upload on the backend, then here. `asked` are the request's headers. Raises S3Error, UploadGone."""
    async with alone(put.expected, put.bucket, put.key, front, always=True):
        return await _complete(upload, chosen, put, front, asked)


async def _complete(
    upload: UploadRow, chosen: Sequence[PartRow], put: PutCommit, front: Front, asked: Mapping[str, str]
) -> Written:
    backend = await backend_of(put.bucket, front)
    await check_expected(put.expected, put.bucket, put.key, front)
    lines = "".join(
        f"<Part><PartNumber>{part.number}</PartNumber><ETag>&quot;{escape(part.etag)}&quot;</ETag></Part>"
        for part in chosen
    )
    document = f'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{lines}</CompleteMultipartUpload>'
    intent = await front.index.begin_intent(put, upload)
    try:
        async with journalled(intent, front):
            done = await backend.texts_of(
                "POST",
                upload.key,
                f"uploadId={uri_encode(upload.remote_id)}",
                "ETag",
                document.encode(),
                wishes.of_condition(asked, backend.info),
            )
            shown = await _shown(backend, upload.key)
            made = Written(
                etag_of(shown) or done.element.strip('"'),
                done.headers.get(VERSION) or shown.get(VERSION),
                wishes.answered(done.headers or shown, {}),
            )
            put = replace(put, etag=made.etag, version_id=made.version_id, sse=None)
            await front.index.complete_upload(upload, put, intent)
    except S3Error as error:
        if error.code == "NoSuchUpload":  # it ended there before, and its parts are not there any more
            await front.index.abort_upload(put.bucket, upload.key, upload.id)
            raise UploadGone from error
        raise
    return made


async def abort_upload(upload: UploadRow, bucket: BucketInfo, front: Front) -> None:
    """Drop the upload on the backend; one that is gone there is no error."""
    await _abort(await backend_of(bucket, front), upload.key, upload.remote_id)


async def _abort(backend: Backend, key: str, remote_id: str) -> None:
    try:
        async with backend.request("DELETE", key, f"uploadId={uri_encode(remote_id)}"):
            pass
    except S3Error as error:
        if error.code != "NoSuchUpload":
            raise


def part_query(number: int, upload: UploadRow) -> str:
    return f"partNumber={number}&uploadId={uri_encode(upload.remote_id)}"


def checksum_kind(part: PartRow) -> str | None:
    """A part's checksum is of all its bytes."""
    return "FULL_OBJECT" if part.checksums else None


async def _shown(backend: Backend, key: str) -> Mapping[str, str]:
    """What the backend says of a joined object: not every one keeps to the ETag that Complete answered."""
    try:
        async with backend.request("HEAD", key) as response:
            return response.headers
    except S3Error:
        return {}
