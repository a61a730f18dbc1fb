"""An upload's form (multipart/form-data, RFC 7578) as it arrives: fields first, then one file that is not held.

What S3 makes of it: the file is the part named `file`, all fields come before it, and what follows it is ignored.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from storage.s3.body import Receive, pieces
from storage.s3.errors import S3Error

MAX_FIELDS: Final = 20 * 1024  # of all fields together, names and headers included
_FILE: Final = "file"


class Form:
    """One POST's body. `fields` first, then iterate: the pieces of the file, until all of it has come.

    Raises MalformedPOSTRequest, MaxPostPreDataLengthExceededError, IncompleteBody, RequestTimeout.
    """

    def __init__(self, content_type: str, receive: Receive) -> None:
        """Raises PreconditionFailed for what is no form, MalformedPOSTRequest for one without a boundary."""
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data":
            raise S3Error(
                "PreconditionFailed",
                extra={"Condition": "Bucket POST must be of the enclosure-type multipart/form-data"},
            )
        self.filename = ""
        self._source = pieces(receive)
        self._fields: dict[str, str] = {}
        self._part = _Part()
        self._name = ""
        self._size = 0
        self._file: list[bytes] = []
        self._in_file = False
        self._whole = False
        try:
            self._parser = MultipartParser(options.get(b"boundary", b""), self._callbacks())
        except FormParserError:
            raise S3Error("MalformedPOSTRequest") from None
        if not options.get(b"boundary"):
            raise S3Error("MalformedPOSTRequest")

    async def fields(self) -> Mapping[str, str]:
        """The fields before the file by lower-case name."""
        while not (self._in_file or self._whole):
            data = await anext(self._source, b"")
            if not data:
                raise S3Error(
                    "InvalidArgument",
                    "POST requires exactly one file upload per request.",
                    extra={"ArgumentName": _FILE, "ArgumentValue": "0"},
                )
            self._feed(data)
        return self._fields

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            found, self._file = self._file, []
            for piece in found:
                yield piece
            if self._whole:
                return
            data = await anext(self._source, b"")
            if not data:
                raise S3Error("MalformedPOSTRequest")
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except FormParserError:
            if not self._whole:
                raise S3Error("MalformedPOSTRequest") from None
        if self._size > MAX_FIELDS:
            raise S3Error("MaxPostPreDataLengthExceededError")

    def _callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._part = _Part()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._part.header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._part.value += data[start:end]

    def _header_end(self) -> None:
        part = self._part
        if part.header.lower() == b"content-disposition":
            part.disposition = part.value.decode("latin-1")
        part.header = part.value = b""

    def _headers_finished(self) -> None:
        if self._whole:
            return
        kind, options = parse_options_header(self._part.disposition)
        self._name = _text(options.get(b"name", b"")).lower()
        if kind != b"form-data" or not self._name:
            raise S3Error("MalformedPOSTRequest")
        if self._name == _FILE:
            self._in_file = True
            self.filename = _text(options.get(b"filename", b""))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._whole:
            return
        if self._in_file:
            self._file.append(data[start:end])
        else:
            self._count(end - start)
            self._part.content += data[start:end]

    def _end(self) -> None:
        if self._whole:
            return
        if self._in_file:
            self._whole = True
        elif self._name in self._fields:
            raise S3Error(
                "InvalidArgument",
                "A form may have each field once.",
                extra={"ArgumentName": self._name, "ArgumentValue": ""},
            )
        else:
            self._fields[self._name] = _text(self._part.content)

    def _count(self, size: int) -> None:
        if not (self._in_file or self._whole):
            self._size += size
            if self._size > MAX_FIELDS:
                raise S3Error("MaxPostPreDataLengthExceededError")


class _Part:
    """A part whose end has not come yet."""

    def __init__(self) -> None:
        self.header = self.value = self.content = b""
        self.disposition = ""


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeError:
        raise S3Error("MalformedPOSTRequest") from None
