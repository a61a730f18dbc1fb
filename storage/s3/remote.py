"""Buckets on an `s3` backend: bytes by the edge where they can pass as they are, by this process where not.

A write is journalled before it is forwarded and committed on the backend's answer; what was journalled and
never answered is found out by the sweeper. A read needs no look-up: the backend's bucket is this bucket's alone.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from gateway.decision.types import Answer, BackendAnswer, Decision, Forward, Handle
from storage.index import BucketInfo, DeleteCommit, Expected, Intent, PartRow, PutCommit, UploadRow
from storage.s3 import answers, conditional, headers, signing
from storage.s3.backend import Backend, BackendUnsure, error_of
from storage.s3.body import Body, Payload, Receive
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.receive import Promised
from storage.s3.request import Request
from storage.s3.sigv4 import UNSIGNED, canonical_query
from storage.s3.text import escape, uri_encode
from storage.snapshot import BackendInfo
from storage.store.digests import Digests

# The edge can be told so many headers to remove; beyond that all x-amz-* go and ours are set anew.
_MAX_REMOVED: Final = 8
# Between the client and the platform: a backend is whoever's a tenant says it is.
_PRIVATE: Final = ("cookie", "x-api-key", "x-tenant", "referer")
_SIGNED_ANEW: Final = frozenset({"x-amz-content-sha256", "x-amz-date"})
_CHECKSUMS: Final = (
    "x-amz-checksum-",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-trailer",
    "x-amz-decoded-content-length",
)


def forward_read(request: Request, bucket: BucketInfo, backend: BackendInfo) -> Decision:
    """GetObject by the edge; the backend does ranges and conditions."""
    where = signing.place(backend, bucket, request.key)
    query = canonical_query(
        "&".join(
            f"{name}={uri_encode(value)}"
            for name, value in request.query.items()
            if name.startswith("response-")
        )
    )
    keep = ("x-amz-checksum-mode",) if backend.checksum_mode == "when_supported" else ()
    forward = _forward(request, backend, where, query, keep, UNSIGNED)
    forward.mask_errors = True
    return forward


async def forward_put(request: Request, bucket: BucketInfo, front: Front) -> Decision:
    """PutObject by the edge, or Handle where the backend would not understand the body's coding."""
    backend = await front.backend(bucket)
    promised = Promised(request)
    if not _passes(promised, backend):
        return Handle()
    where = signing.place(backend, bucket, request.key)
    put = await _announced(request, bucket, front, promised.size)
    if promised.checksum and promised.checksum.value and backend.checksum_mode == "when_supported":
        put = replace(put, checksums={promised.checksum.algorithm: promised.checksum.value})
    forward = _forward(request, backend, where, "", _kept_on_put(backend), request.payload_hash)
    intent = await front.index.begin_intent(put)
    forward.commit = {"is": "put", "id": intent.id, "tenant": intent.tenant_id}
    return forward


async def forward_part(request: Request, bucket: BucketInfo, front: Front) -> Decision:
    """UploadPart by the edge, or Handle."""
    backend = await front.backend(bucket)
    promised = Promised(request)
    if not _passes(promised, backend):
        return Handle()
    where = signing.place(backend, bucket, request.key)
    upload = await front.index.get_upload(bucket, request.key, request.query["uploadId"])
    await front.check_room(bucket, promised.size)
    query = _part_query(request.part_number, upload)
    forward = _forward(request, backend, where, query, _kept_on_put(backend), request.payload_hash)
    given = promised.checksum if backend.checksum_mode == "when_supported" else None
    forward.commit = {
        "is": "part",
        "tenant": bucket.tenant_id,
        "bucket": bucket.name,
        "upload": upload.id,
        "number": request.part_number,
        "size": promised.size,
        "checksums": {given.algorithm: given.value} if given and given.value else {},
    }
    return forward


async def commit(token: Mapping[str, Any], backend: BackendAnswer, front: Front) -> Answer:
    """The backend answered a forwarded PUT: make it an object or a part. Raises S3Error."""
    etag = (backend.headers.get("etag") or "").strip('"')
    refused = None if backend.status < 300 else error_of(backend.status)
    if token["is"] == "put":
        intent = Intent(token["id"], token["tenant"])
        if refused is None:
            await front.index.commit_intent(intent, etag)
        elif not isinstance(refused, BackendUnsure):
            await front.index.abandon_intent(intent)
    elif refused is None:
        bucket = await front.bucket(token["tenant"], token["bucket"])
        now = datetime.now(UTC).replace(microsecond=0)
        part = PartRow(token["number"], token["size"], etag, now, None, token["checksums"])
        await front.index.record_part(bucket, token["upload"], part)
    if refused is not None:
        raise refused
    found = [(name, value) for name, value in backend.headers.items() if name.startswith("x-amz-checksum-")]
    return answers.empty(200, [("ETag", f'"{etag}"'), *found])


async def stream_put(request: Request, bucket: BucketInfo, front: Front, receive_body: Receive) -> Answer:
    """PutObject through this process: the coding is taken off, the promises are kept here."""
    promised = Promised(request)
    put = await _announced(request, bucket, front, promised.size)
    content = _Checked(promised, receive_body)
    etag = await store(put, aiter(content), front, content)
    return answers.empty(200, [("ETag", f'"{etag}"'), *headers.checksum(content.checksums)])


async def stream_part(request: Request, bucket: BucketInfo, front: Front, receive_body: Receive) -> Answer:
    """UploadPart through this process."""
    promised = Promised(request)
    upload = await front.index.get_upload(bucket, request.key, request.query["uploadId"])
    await front.check_room(bucket, promised.size)
    content = _Checked(promised, receive_body)
    part = await store_part(
        upload, bucket, request.part_number, promised.size, aiter(content), front, content
    )
    return answers.empty(200, [("ETag", f'"{part.etag}"'), *headers.checksum(content.checksums)])


async def store(
    put: PutCommit, content: AsyncIterator[bytes], front: Front, checked: "_Checked | None" = None
) -> str:
    """Write `content` to the bucket's backend and commit it; returns its ETag. Raises S3Error."""
    backend = await _backend(put.bucket, front)
    signing.place(backend.info, put.bucket, put.key)
    intent = await front.index.begin_intent(put)
    sent = {"Content-Length": str(put.size), **_object_headers(put)}
    try:
        etag = await _send(backend, put.key, "", sent, content, checked)
    except BackendUnsure:
        raise
    except S3Error:
        await front.index.abandon_intent(intent)
        raise
    await front.index.commit_intent(intent, etag)
    return etag


async def store_part(
    upload: UploadRow,
    bucket: BucketInfo,
    number: int,
    size: int,
    content: AsyncIterator[bytes],
    front: Front,
    checked: "_Checked | None" = None,
) -> PartRow:
    """Write `content` as a part of an upload on the backend and keep it. Raises S3Error."""
    backend = await _backend(bucket, front)
    sent = {"Content-Length": str(size)}
    etag = await _send(backend, upload.key, _part_query(number, upload), sent, content, checked)
    part = PartRow(number, size, etag, datetime.now(UTC).replace(microsecond=0))
    await front.index.record_part(bucket, upload.id, part)
    return part


async def read(
    bucket: BucketInfo, key: str, front: Front, start: int = 0, length: int | None = None
) -> AsyncIterator[bytes]:
    """The bytes of an object on a backend, for copies. Raises S3Error."""
    if length == 0:
        return
    last = "" if length is None else str(start + length - 1)
    backend = await _backend(bucket, front)
    async with backend.request("GET", key, headers={"Range": f"bytes={start}-{last}"}) as response:
        async for piece in response.content.iter_any():
            yield piece


async def delete(change: DeleteCommit, front: Front) -> None:
    """Remove an object on the backend, then here. Raises S3Error."""
    backend = await _backend(change.bucket, front)
    signing.place(backend.info, change.bucket, change.key)
    intent = await front.index.begin_delete_intent(change)
    try:
        async with backend.request("DELETE", change.key):
            pass
    except BackendUnsure:
        raise
    except S3Error as error:
        if error.code != "NoSuchKey":
            await front.index.abandon_intent(intent)
            raise
    await front.index.commit_intent(intent)


async def create_upload(put: PutCommit, front: Front) -> UploadRow:
    """Start an upload on the backend and here."""
    backend = await _backend(put.bucket, front)
    signing.place(backend.info, put.bucket, put.key)
    remote_id = await backend.text_of("POST", put.key, "uploads", "UploadId", headers=_object_headers(put))
    return await front.index.create_upload(put, remote_id)


async def complete_upload(
    upload: UploadRow, chosen: Sequence[PartRow], put: PutCommit, front: Front
) -> PutCommit:
    """Complete the upload on the backend, then here; returns what was committed. Raises S3Error."""
    backend = await _backend(put.bucket, front)
    lines = "".join(
        f"<Part><PartNumber>{part.number}</PartNumber><ETag>&quot;{escape(part.etag)}&quot;</ETag></Part>"
        for part in chosen
    )
    document = f'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{lines}</CompleteMultipartUpload>'
    intent = await front.index.begin_intent(put)
    try:
        etag = await backend.text_of(
            "POST", upload.key, f"uploadId={uri_encode(upload.remote_id)}", "ETag", document.encode()
        )
    except BackendUnsure:
        raise
    except S3Error:
        await front.index.abandon_intent(intent)
        raise
    put = replace(put, etag=await _etag_now(backend, upload.key) or etag.strip('"'))
    await front.index.complete_upload(upload, put, intent)
    return put


async def abort_upload(upload: UploadRow, bucket: BucketInfo, front: Front) -> None:
    """Drop the upload on the backend; one that is gone there is no error."""
    backend = await _backend(bucket, front)
    try:
        async with backend.request("DELETE", upload.key, f"uploadId={uri_encode(upload.remote_id)}"):
            pass
    except S3Error as error:
        if error.code != "NoSuchUpload":
            raise


class _Checked:
    """A body on its way through this process to a backend.

    The last piece is held back until all promises are checked: a backend that never gets it stores nothing.
    """

    def __init__(self, promised: Promised, receive_body: Receive) -> None:
        self.failure: S3Error | None = None
        self.checksums: dict[str, str] = {}
        self._promised = promised
        self._body = Body(receive_body, promised.payload, promised.size, promised.seed)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        digests = Digests(self._promised.algorithms)
        held = b""
        try:
            async for piece in self._body:
                digests.update(piece)
                if held:
                    yield held
                held = piece
            computed = digests.checksums()
            self._promised.check(digests.md5(), computed, self._body.trailers)
        except S3Error as error:
            self.failure = error
            raise
        if self._promised.checksum:
            self.checksums = {self._promised.algorithm: computed[self._promised.algorithm]}
        if held:
            yield held


async def _send(
    backend: Backend,
    key: str,
    query: str,
    sent: Mapping[str, str],
    content: AsyncIterator[bytes],
    checked: _Checked | None,
) -> str:
    """PUT `content`; the answer's ETag. A failure of the content itself is raised rather than the backend's."""
    try:
        async with backend.request("PUT", key, query, sent, content) as response:
            return response.headers.get("ETag", "").strip('"')
    except S3Error:
        if checked and checked.failure:
            raise checked.failure from None
        raise


async def _etag_now(backend: Backend, key: str) -> str:
    """The ETag that the backend gives a joined object: not every one keeps to what Complete answered."""
    try:
        async with backend.request("HEAD", key) as response:
            return response.headers.get("ETag", "").strip('"')
    except S3Error:
        return ""


async def _announced(request: Request, bucket: BucketInfo, front: Front, size: int) -> PutCommit:
    """The write as it is journalled. Raises QuotaExceeded, PreconditionFailed."""
    kept = headers.kept(request.headers)
    expected = conditional.expectation(request.headers)
    await front.check_room(bucket, size, request.key)
    if expected is not None:
        await _check_expected(expected, bucket, request.key, front)
    return PutCommit(
        bucket=bucket,
        key=request.key,
        size=size,
        etag="",
        last_modified=datetime.now(UTC).replace(microsecond=0),
        actor=request.access.actor,
        content_type=kept.content_type,
        metadata=kept.metadata,
        headers=kept.headers,
    )


async def _check_expected(expected: Expected, bucket: BucketInfo, key: str, front: Front) -> None:
    """The condition against the index; the backend is asked too, but not every one listens."""
    row = await front.index.head(bucket, key)
    if (expected.absent and row is not None) or (
        expected.etag is not None and (row is None or row.etag != expected.etag)
    ):
        raise S3Error("PreconditionFailed")


async def _backend(bucket: BucketInfo, front: Front) -> Backend:
    return Backend(front.ctx.http, await front.backend(bucket), bucket)


def _passes(promised: Promised, backend: BackendInfo) -> bool:
    """Whether the backend takes the body as the client sends it."""
    if promised.payload is Payload.CHUNKED:
        return backend.checksum_mode == "when_supported"
    return not promised.payload.is_chunked  # it could not prove signed chunks, which name our key


def _kept_on_put(backend: BackendInfo) -> tuple[str, ...]:
    return (headers.META, *_CHECKSUMS) if backend.checksum_mode == "when_supported" else (headers.META,)


def _forward(
    request: Request,
    backend: BackendInfo,
    where: signing.Place,
    query: str,
    keep: tuple[str, ...],
    payload_hash: str,
) -> Forward:
    """The request signed anew for the backend, with only those x-amz-* headers that `keep` names."""
    present = [name for name in request.headers if name.startswith("x-amz-")]
    kept = {name: request.headers[name] for name in present if name.startswith(keep)} if keep else {}
    sent = signing.signed(backend, request.head.method, where, query, kept, payload_hash)
    # What passes is on the request already, unless it was hoisted into a presigned URL's query.
    to_set = {
        name: value for name, value in sent.items() if name not in kept or name not in request.head.headers
    }
    private = [name for name in _PRIVATE if name in request.headers]
    removed = [name for name in present if name not in kept and name not in _SIGNED_ANEW] + private
    if len(removed) > _MAX_REMOVED:
        to_set, removed = sent, ["x-amz-*", *private]
    return Forward(
        dial=where.dial,
        uri=where.path + (f"?{query}" if query else ""),
        scheme="https" if where.scheme == "https" else "http",
        set_headers=to_set,
        remove_headers=removed,
        patience="long",
    )


def _part_query(number: int, upload: UploadRow) -> str:
    return f"partNumber={number}&uploadId={uri_encode(upload.remote_id)}"


def _object_headers(put: PutCommit) -> dict[str, str]:
    """A stored object's description as headers of a write to its backend."""
    sent = {name: value for name, value in put.headers.items() if not name.startswith("x-amz-")}
    sent |= {headers.META + name: value for name, value in put.metadata.items()}
    return {"content-type": put.content_type, **sent}
