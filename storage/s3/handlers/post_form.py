"""PostObject: an upload from a form in a browser.

Whoever asks shows it in the form's fields alone. Cookies mean nothing here, as everywhere in S3: a form on somebody's
page acts for nobody who happens to be signed in.
"""

from collections.abc import AsyncIterator, Mapping, MutableMapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from gateway.decision.types import Answer
from storage.s3 import answers, post_policy, receive
from storage.s3 import headers as object_headers
from storage.s3.admission import admitted_as
from storage.s3.body import MAX_OBJECT, Receive
from storage.s3.documents import tags
from storage.s3.errors import S3Error
from storage.s3.form import MAX_FIELDS, Form
from storage.s3.front import Front
from storage.s3.handlers import writes
from storage.s3.post_policy import Range
from storage.s3.request import Request
from storage.s3.sigv4 import UNSIGNED
from storage.s3.target import PREFIX, decode_key, has_prefix
from storage.s3.text import escape, uri_encode

_ANY_SIZE: Final = Range(0, MAX_OBJECT)
_MARGIN: Final = 2 * MAX_FIELDS  # of a form that is not its file, at most
# Fields that become headers of the write, as they are or by another name; all others only answer to the policy.
_HEADERS: Final = frozenset(
    {
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-md5",
        "content-type",
        "expires",
        "x-amz-sdk-checksum-algorithm",
        "x-amz-storage-class",
        "x-amz-website-redirect-location",
    }
)
_HEADER_PREFIXES: Final = (
    "x-amz-checksum-",
    "x-amz-grant-",
    "x-amz-meta-",
    "x-amz-object-lock-",
    "x-amz-server-side-encryption",
)
# What a bucket's policy may ask of the browser that sent the form.
_OF_BROWSER: Final[tuple[str, ...]] = ("host", "origin", "referer", "user-agent")
_KEPT_ANSWERS: Final = ("etag", "x-amz-")


async def post(request: Request, front: Front, receive_body: Receive) -> Answer:
    """Store the form's file; the answer is as the form wishes it. Raises S3Error."""
    if request.claim is not None:
        raise S3Error("InvalidArgument", "Only one auth mechanism allowed; a form is signed in its fields")
    if request.head.content_length is None:
        raise S3Error("MissingContentLength")
    form = Form(request.headers.get("content-type", ""), receive_body)
    fields = await form.fields()
    key = _key(fields, form.filename)
    now = datetime.now(UTC)
    claim = post_policy.read_claim(fields, now)
    access, allowed = request.access, None
    if claim is not None:
        access = await front.access_key(claim.access_key_id, claim.security_token)
        post_policy.prove(claim, access.secret)
        said = {**fields, "key": key, "bucket": request.bucket_name}
        allowed = post_policy.check(claim.policy, said, now)
    request = replace(request, payload_hash=UNSIGNED)  # a hash in the head was of the whole form
    request = await admitted_as(request, front, access, key, _headers(request, fields))
    file = _File(form, allowed or _ANY_SIZE)
    least = max(0, (request.head.content_length or 0) - _MARGIN)
    file.check_announced(least)
    if request.bucket.kind == "s3":
        stored = await _put_remote(request, front, file)
    else:
        stored = await writes.put(replace(request, form_size=least), front, file)
    return _answer(request, fields, stored)


class _File:
    """The form's file as ASGI's receive, so that it is stored like the body of a PUT."""

    def __init__(self, form: Form, allowed: Range) -> None:
        self._pieces = aiter(form)
        self._allowed = allowed
        self._size = 0

    def check_announced(self, least: int) -> None:
        """Raise EntityTooLarge for a file of at least so many bytes."""
        if least > self._allowed.most:
            raise self._too_large(least)

    async def __call__(self) -> MutableMapping[str, Any]:
        piece = await anext(self._pieces, None)
        if piece is None:
            if self._size < self._allowed.least:
                raise S3Error(
                    "EntityTooSmall",
                    extra={"ProposedSize": str(self._size), "MinSizeAllowed": str(self._allowed.least)},
                )
            return {"type": "http.request", "body": b"", "more_body": False}
        self._size += len(piece)
        if self._size > self._allowed.most:
            raise self._too_large(self._size)
        return {"type": "http.request", "body": piece, "more_body": True}

    def _too_large(self, size: int) -> S3Error:
        return S3Error(
            "EntityTooLarge",
            extra={"ProposedSize": str(size), "MaxSizeAllowed": str(self._allowed.most)},
        )


async def _put_remote(request: Request, front: Front, file: _File) -> Answer:
    """A backend wants to know the size first, which a form tells last: the file waits in our own store."""
    async with front.store.writer(inline_limit=front.inline_limit, size_limit=MAX_OBJECT) as writer:
        while (message := await file())["more_body"]:
            await writer.write(message["body"])
        info = await writer.finish()
    try:
        content = _once(info.inline) if info.id is None else front.store.read(info.id)
        head = replace(request.head, content_length=info.size)
        return await writes.put(replace(request, head=head), front, _receive_of(content))
    finally:
        await receive.discard(front, info)


async def _once(content: bytes | None) -> AsyncIterator[bytes]:
    yield content or b""


def _receive_of(content: AsyncIterator[bytes]) -> Receive:
    async def receive_piece() -> MutableMapping[str, Any]:
        piece = await anext(content, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    return receive_piece


def _key(fields: Mapping[str, str], filename: str) -> str:
    """The object's key, `${filename}` put in. Raises InvalidArgument, KeyTooLongError."""
    key = fields.get("key", "")
    if not key:
        raise S3Error(
            "InvalidArgument",
            "Bucket POST must contain a field named 'key'.  "
            "If it is specified, please check the order of the fields.",
            extra={"ArgumentName": "key", "ArgumentValue": ""},
        )
    # Some browsers say the file's whole path on their own disk.
    name = filename.replace("\\", "/").rpartition("/")[2]
    key = key.replace("${filename}", name)
    if not key:
        raise S3Error("InvalidArgument", extra={"ArgumentName": "key", "ArgumentValue": ""})
    return decode_key(uri_encode(key, "/"))


def _headers(request: Request, fields: Mapping[str, str]) -> dict[str, str]:
    """The headers of a PUT that says the same as the form."""
    found: dict[str, str] = {name: request.headers[name] for name in _OF_BROWSER if name in request.headers}
    for name, value in fields.items():
        if name in _HEADERS or name.startswith(_HEADER_PREFIXES):
            found[name] = _header(name, value)
    if "acl" in fields:
        found["x-amz-acl"] = _header("acl", fields["acl"])
    if fields.get("tagging"):
        said = tags.read(fields["tagging"].encode(), tags.MAX_OBJECT_TAGS)
        found[object_headers.TAGGING] = urlencode(said, quote_via=quote)
    return found


def _header(name: str, value: str) -> str:
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        raise S3Error(
            "InvalidArgument",
            "A field's value may not hold control characters.",
            extra={"ArgumentName": name, "ArgumentValue": value},
        )
    return object_headers.wire(value.strip())


def _answer(request: Request, fields: Mapping[str, str], stored: Answer) -> Answer:
    found = [(name, value) for name, value in stored.headers if name.lower().startswith(_KEPT_ANSWERS)]
    etag = next(value for name, value in found if name.lower() == "etag")
    target = _redirect(fields)
    if target:
        said = {"bucket": request.bucket_name, "key": request.key, "etag": etag}
        mark = "&" if urlsplit(target).query else "?"
        where = f"{target}{mark}{urlencode(said, quote_via=quote)}"
        return answers.empty(303, [("Location", where), *found])
    where = _location(request)
    found.append(("Location", where))
    status = fields.get("success_action_status")
    if status != "201":
        return answers.empty(200 if status == "200" else 204, found)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<PostResponse><Location>{escape(where)}</Location><Bucket>{escape(request.bucket_name)}</Bucket>"
        f"<Key>{escape(request.key)}</Key><ETag>{escape(etag)}</ETag></PostResponse>"
    )
    return Answer(201, [("Content-Type", "application/xml"), *found], body.encode())


def _redirect(fields: Mapping[str, str]) -> str:
    """Where the form wants its browser to go; "" for nowhere, or for what is no address."""
    target = fields.get("success_action_redirect") or fields.get("redirect") or ""
    try:
        parts = urlsplit(target)
        plain = target.isascii() and target.isprintable() and " " not in target
        return target if plain and parts.scheme in ("http", "https") and parts.hostname else ""
    except ValueError:
        return ""


def _location(request: Request) -> str:
    """The object's own address, as the form's was."""
    head = request.head
    usual = {"http": 80, "https": 443}[head.scheme]
    host = head.host if ":" not in head.host else f"[{head.host}]"
    origin = f"{head.scheme}://{host}" + ("" if head.port == usual else f":{head.port}")
    prefix = PREFIX if has_prefix(head.raw_path) else ""
    inside = head.raw_path.rstrip("/") != ""
    bucket = f"/{request.bucket_name}" if inside else ""
    return f"{origin}{prefix}{bucket}/{uri_encode(request.key, '/')}"
