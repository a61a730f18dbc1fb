"""Requests that the edge streams to a backend and back, signed anew with the backend's key."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gateway.decision.types import SET_HEADER_SLOTS, Decision, Forward, Handle
from storage.index import BucketInfo, UploadRow
from storage.s3 import checksums, dialling, expiration, headers, signing
from storage.s3.front import Front
from storage.s3.receive import Promised
from storage.s3.request import Request
from storage.s3.sigv4 import UNSIGNED
from storage.snapshot import BackendInfo

from . import reading, unchanged, wishes
from .alone import compares
from .uploads import part_query
from .writing import announced

# The edge can be told so many headers to remove; beyond that all x-amz-* go and ours are set anew.
_MAX_REMOVED: Final = 8
# Between the client and the platform: a backend is whoever's a tenant says it is.
_PRIVATE: Final[tuple[str, ...]] = ("cookie", "x-api-key", "x-tenant", "referer")
_CONDITIONS: Final = frozenset({"if-match", "if-none-match"})
_SIGNED_ANEW: Final = frozenset({"x-amz-content-sha256", "x-amz-date"})
_CHECKSUMS: Final = (
    "x-amz-checksum-",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-trailer",
    "x-amz-decoded-content-length",
)


_COMPARED_HERE: Final = 1 << 20
"""Bytes of a body whose Content-MD5 this process compares before the backend sees it."""


async def forward_read(request: Request, bucket: BucketInfo, front: Front) -> Decision:
    """GetObject or HeadObject by the edge; the backend does ranges and conditions."""
    backend = await front.backend(bucket)
    if dialling.streams_here(backend):
        return Handle()
    wanted = await reading.wanted(request, bucket, front)
    where = signing.place(backend, bucket, request.key)
    sent = {name: value for name, value in wanted.sent.items() if name.startswith("x-amz-")}
    forward = await _forward(request, front, backend, where, wanted.query, sent, UNSIGNED)
    if "partNumber" in request.query and "range" in wanted.sent:
        forward.set_headers = {**forward.set_headers, "Range": wanted.sent["range"]}
    forward.set_response_headers = wanted.added
    forward.mask_errors = True
    forward.note = unchanged.note(bucket, request)
    return forward


async def forward_put(request: Request, bucket: BucketInfo, front: Front) -> Decision:
    """PutObject by the edge, or Handle where this process must see the body."""
    backend = await front.backend(bucket)
    promised = Promised(request)
    if not _passes(request, promised, backend) or not (
        compares(backend) or _CONDITIONS.isdisjoint(request.headers)
    ):
        return Handle()
    where = signing.place(backend, bucket, request.key)
    wanted = wishes.of_write(request.headers, backend, bucket)
    put = await announced(request, bucket, front, promised.size)
    put = replace(put, checksums=wishes.of_checksum(promised.checksum, backend))
    sent = {**_kept(request, backend), **wanted}
    forward = await _forward(request, front, backend, where, "", sent, request.payload_hash)
    if not _is_sayable(forward):
        return Handle()
    told = _told(wanted) | dict(expiration.header(bucket, put))
    intent = await front.index.begin_intent(put)
    front.open_writes.add(intent.id)
    forward.commit = {
        "is": "put",
        "id": intent.id,
        "tenant": intent.tenant_id,
        "began": time.time(),
        "told": told,
        "backend": backend.id,
        "digest": "content-md5" in request.headers,
    }
    return forward


async def forward_part(request: Request, bucket: BucketInfo, front: Front) -> Decision:
    """UploadPart by the edge, or Handle."""
    backend = await front.backend(bucket)
    promised = Promised(request)
    if not _passes(request, promised, backend):
        return Handle()
    where = signing.place(backend, bucket, request.key)
    number = request.part_number
    customer = wishes.of_customer(request.headers, backend)
    upload = await front.index.get_upload(bucket, request.key, request.query["uploadId"])
    await front.check_room(bucket, promised.size)
    sent = {**_kept(request, backend), **customer}
    query = part_query(number, upload)
    forward = await _forward(request, front, backend, where, query, sent, request.payload_hash)
    if not _is_sayable(forward):
        return Handle()
    forward.commit = {
        "is": "part",
        "tenant": bucket.tenant_id,
        "bucket": bucket.name,
        "upload": upload.id,
        "number": number,
        "size": promised.size,
        "checksums": _given(promised, backend, upload),
        "told": _told(customer),
        "backend": backend.id,
        "digest": "content-md5" in request.headers,
    }
    return forward


def _passes(request: Request, promised: Promised, backend: BackendInfo) -> bool:
    """Whether the backend takes the body as the client sends it.

    Not a small one with Content-MD5: its digest is compared here, as not every backend does, nor is it told apart there
    from what else makes a 400, whose document stays at the edge. A large one would cost this process too much.
    """
    if "content-md5" in request.headers and promised.size <= _COMPARED_HERE:
        return False
    if dialling.streams_here(backend) or promised.payload.is_signed_in_chunks or not promised.is_exact:
        return False
    return not promised.payload.is_chunked or backend.checksum_mode == "when_supported"


def _is_sayable(forward: Forward) -> bool:
    """Whether the edge can be told the headers: those of a presigned URL's query may be many, or empty."""
    return len(forward.set_headers) <= SET_HEADER_SLOTS and all(forward.set_headers.values())


def _kept(request: Request, backend: BackendInfo) -> dict[str, str]:
    """The x-amz-* headers that pass with a body."""
    keep = (headers.META, *_CHECKSUMS) if backend.checksum_mode == "when_supported" else (headers.META,)
    return {name: value for name, value in request.headers.items() if name.startswith(keep)}


def _given(promised: Promised, backend: BackendInfo, upload: UploadRow) -> dict[str, str]:
    given = wishes.of_checksum(promised.checksum, backend)
    return given if upload.headers.get(checksums.ALGORITHM) in given else {}


def _told(wanted: Mapping[str, str]) -> dict[str, str]:
    """What the answer echoes of a customer's key: never the key."""
    return dict(wishes.answered({}, wanted))


async def _forward(
    request: Request,
    front: Front,
    backend: BackendInfo,
    where: signing.Place,
    query: str,
    kept: Mapping[str, str],
    payload_hash: str,
) -> Forward:
    """The request signed anew for the backend, with no x-amz-* headers but `kept`."""
    present = [name for name in request.headers if name.startswith("x-amz-")]
    sent = signing.signed(backend, request.head.method, where, query, kept, payload_hash)
    # What passes is on the request already, unless it was hoisted into a presigned URL's query.
    to_set = {
        name: value
        for name, value in sent.items()
        if name not in kept or request.head.headers.get(name) != value
    }
    private = [name for name in _PRIVATE if name in request.headers]
    recoded = {}
    if request.head.method == "PUT":
        if not compares(backend):
            private += [name for name in _CONDITIONS if name in request.headers]
        coding = request.headers.get("content-encoding", "")
        left = headers.unchunked(coding)
        if left != coding and request.payload.is_chunked:
            left = ",".join(filter(None, ("aws-chunked", left)))  # as every backend knows, and takes off, it
        if left != coding:
            recoded = {"content-encoding": left} if left else {}
            private += [] if left else ["content-encoding"]
    removed = [name for name in present if name not in kept and name not in _SIGNED_ANEW] + private
    if len(removed) > _MAX_REMOVED:
        to_set, removed = sent, ["x-amz-*", *private]
    to_set = {**to_set, **recoded}
    return Forward(
        dial=await dialling.dial(backend, where, front.ctx.names),
        uri=where.path + (f"?{query}" if query else ""),
        scheme="https" if where.scheme == "https" else "http",
        set_headers=to_set,
        remove_headers=removed,
        patience="long",
    )
