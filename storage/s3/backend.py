"""A backend spoken to by this process: what cannot be left to the edge because Python must see the bytes or XML."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple
from xml.etree.ElementTree import ParseError

import aiohttp
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from yarl import URL

from gateway.decision.names import Names
from storage.index import BucketInfo
from storage.s3 import dialling, signing
from storage.s3.doubts import Doubts, is_of_our_key
from storage.s3.errors import CODES, S3Error
from storage.s3.places import Places
from storage.s3.sigv4 import UNSIGNED, canonical_query
from storage.snapshot import BackendInfo

_MAX_ANSWER: Final = 1 << 20
_LONGEST_DOCUMENT: Final = 900.0
_MAX_TAGS: Final = 1000  # reading more would hold up every other request
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=5, sock_read=300)
_OF_304: Final = ("ETag", "Last-Modified", "Cache-Control", "Expires", "x-amz-version-id")
# What a backend says about the caller's request, and not about its own state or our key to it.
_PASSED_ON: Final = frozenset(
    {
        "BadDigest",
        "InvalidEncryptionAlgorithmError",
        "InvalidRetentionPeriod",
        "RequestTimeout",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
        "ConditionalRequestConflict",
        "EntityTooLarge",
        "EntityTooSmall",
        "IncompleteBody",
        "InvalidDigest",
        "InvalidPart",
    }
    | {"InvalidPartOrder", "InvalidRange", "InvalidRequest", "KeyTooLongError", "MalformedXML"}
    | {"MetadataTooLarge", "NoSuchKey", "NoSuchUpload", "NoSuchVersion", "NotImplemented"}
    | {"PreconditionFailed"}
)


class BackendUnsure(S3Error):
    """The backend did not say whether it did what was asked: it broke off, or failed with a 5xx."""

    def __init__(self) -> None:
        super().__init__("ServiceUnavailable", "The bucket's backend did not answer as it should.")


class Told(NamedTuple):
    """An answer's element and headers."""

    element: str
    headers: Mapping[str, str]


class Backend:
    """One bucket's backend."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        info: BackendInfo,
        bucket: BucketInfo,
        doubts: Doubts,
        places: Places,
        names: Names,
    ) -> None:
        self.info = info
        self._places = places
        self._names = names
        self._doubts = doubts
        self._session = session
        self._bucket = bucket

    @asynccontextmanager
    async def request(
        self,
        method: str,
        key: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterator[bytes] = b"",
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer below 400. Raises S3Error: the backend's own where it is about the request, else 503.

        SlowDown says that it was not asked, as too many ask it already.
        """
        where = signing.place(self.info, self._bucket, key)
        query = canonical_query(query)
        sent = signing.signed(self.info, method, where, query, headers or {}, UNSIGNED)
        try:
            target = await dialling.target(self.info, where, self._names)
        except S3Error:
            self._doubts.note(self.info.id)
            raise
        url = URL(target.origin + where.path + (f"?{query}" if query else ""), encoded=True)
        try:
            async with (
                self._places.at(self.info.id, self._bucket.tenant_id, shared=self.info.tenant_id is None),
                self._session.request(
                    method,
                    url,
                    headers=sent,
                    data=body,
                    timeout=_TIMEOUT,
                    allow_redirects=False,
                    ssl=dialling.trust(self.info.ca_bundle),
                    server_hostname=target.server_hostname,
                ) as response,
            ):
                if response.status == 404 and method == "HEAD":
                    raise S3Error("NoSuchKey")
                if response.status >= 300:
                    document = await _content(response)
                    if is_of_our_key(response.status, code_of(document)):
                        self._doubts.note(self.info.id)
                    error = error_of(response.status, document)
                    if response.status == 304:
                        error.headers = {n: response.headers[n] for n in _OF_304 if n in response.headers}
                    raise error
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._doubts.note(self.info.id)
            raise BackendUnsure from error

    async def texts_of(
        self,
        method: str,
        key: str,
        query: str,
        element: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Told:
        """One element of the XML answer, and its headers. An error that comes with status 200 is raised too."""
        async with self.request(method, key, query, headers, body) as response:
            document, told = await _content(response), response.headers
        found = _elements(document)
        if "Code" in found:
            raise error_of(500, document)
        if element not in found:
            raise BackendUnsure
        return Told(found[element], told)


def code_of(document: bytes) -> str:
    """The code of an error's document; empty where it has none."""
    return _elements(document).get("Code", "")


def error_of(status: int, document: bytes = b"") -> S3Error:
    """A backend's refusal as the caller is told it."""
    code = code_of(document)
    if code in _PASSED_ON:
        return S3Error(code)
    if status in _BY_STATUS:
        return S3Error(_BY_STATUS[status])
    if status >= 500:
        return BackendUnsure()
    return S3Error("ServiceUnavailable", "The bucket's backend refused the request.")


# For answers whose document nobody sees, because the edge has them.
_BY_STATUS: Final[Mapping[int, str]] = {
    304: "NotModified",
    400: "InvalidRequest",
    411: "MissingContentLength",
    412: "PreconditionFailed",
    413: "EntityTooLarge",
    416: "InvalidRange",
    501: "NotImplemented",
}
assert set(_BY_STATUS.values()) <= CODES.keys()


async def _content(response: aiohttp.ClientResponse) -> bytes:
    """The whole document, or as much as is looked at. It may come in pieces: Complete's begins with blanks, which keep
    the connection while the parts are joined.
    """
    found = bytearray()
    async with asyncio.timeout(_LONGEST_DOCUMENT):
        async for piece in response.content.iter_any():
            found += piece
            if len(found) >= _MAX_ANSWER:
                break
    return bytes(found[:_MAX_ANSWER])


def _elements(document: bytes) -> dict[str, str]:
    """The texts of a document's top elements by name, whatever their namespace."""
    if not document.strip() or document.count(b"<") > _MAX_TAGS:
        return {}
    try:
        root = fromstring(document, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return {}
    return {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in root}
