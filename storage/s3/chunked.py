"""The `aws-chunked` coding of bodies, with or without signatures and a trailer.

    chunk   = size-in-hex [";chunk-signature=" 64-hex] CRLF data CRLF
    body    = *chunk last-chunk *trailer ["x-amz-trailer-signature:" 64-hex CRLF] CRLF
    trailer = name ":" value CRLF

The last chunk has the size 0 and no data. The errors are those that S3 gives: what is not the coding counts as a
body that ended too early.
"""

import hashlib
import re
from typing import Final

from storage.s3.chain import Chain
from storage.s3.errors import S3Error

MIN_CHUNK: Final = 8192  # of every chunk but the last that holds data
_MAX_LINE: Final = 1024
_MAX_TRAILERS: Final = 8
_PLAIN: Final = re.compile(rb"([0-9A-Fa-f]{1,16})()\Z")
_SIGNED: Final = re.compile(rb"([0-9A-Fa-f]{1,16});chunk-signature=([0-9a-f]{64})\Z")
_SIGNATURE: Final = "x-amz-trailer-signature"
_HEX: Final = re.compile(r"[0-9a-f]{64}\Z")


class AwsChunked:
    """Decodes a body however it is cut into pieces. With a chain, every chunk and the trailer must be signed.

    `trailers` holds what came in the trailer, by lower-case name; it is complete and proven when `done`.
    """

    def __init__(self, chain: Chain | None = None, *, trailer: bool = True) -> None:
        self.trailers: dict[str, str] = {}
        self.done = False
        self._chain = chain
        self._may_trail = trailer
        self._left = 0  # bytes of the present chunk's data still to come
        self._ending = b""  # what of the CRLF after the data is still to come
        self._line = b""  # of a size or trailer line, what has come so far
        self._size = MIN_CHUNK  # of the chunk before the present one
        self._chunks = 0
        self._digest = hashlib.sha256()
        self._signature = ""
        self._trailer_signature: str | None = None
        self._in_trailer = False
        self._loose = False  # the last trailer line ended with LF alone
        self._slack = False  # such a trailer may end with one more CRLF

    def feed(self, data: bytes) -> list[bytes]:
        """The content in `data`. Raises S3Error for what is not the coding, or not what was signed."""
        content: list[bytes] = []
        at = 0
        while at < len(data):
            if self.done and not self._slack:
                raise _broken("There is data after the end of the chunked body.")
            if self._left:
                piece = data[at : at + self._left]
                content.append(piece)
                if self._chain:
                    self._digest.update(piece)
                self._left -= len(piece)
                at += len(piece)
                if not self._left:
                    self._ending = b"\r\n"
            elif self._ending:
                if data[at : at + 1] != self._ending[:1]:
                    raise _broken("A chunk does not end where its size says.")
                self._ending = self._ending[1:]
                at += 1
                if not self._ending:
                    self._verify()
            else:
                at = self._read_line(data, at)
        return content

    def _read_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end + 1
        self._line += data[at:stop]
        if len(self._line) > _MAX_LINE:
            raise _broken("A line of the chunked body is too long.")
        if end < 0:
            return stop
        line, self._line = self._line, b""
        if self._in_trailer:
            self._take_trailer(line)
        elif line.endswith(b"\r\n"):
            self._take_size(line[:-2])
        else:
            raise _broken("A chunk's size is malformed.")
        return stop

    def _take_size(self, line: bytes) -> None:
        found = (_SIGNED if self._chain else _PLAIN).match(line)
        if found is None:
            raise _broken("A chunk's size or signature is malformed.")
        size = int(found[1], 16)
        if size and self._size < MIN_CHUNK:
            raise S3Error(
                "InvalidChunkSizeError",
                extra={"Chunk": str(self._chunks), "BadChunkSize": str(self._size)},
            )
        self._left = self._size = size
        self._chunks += 1
        self._signature = found[2].decode()
        if not size:
            self._verify()
            self._in_trailer = True

    def _verify(self) -> None:
        if self._chain:
            self._chain.chunk(self._digest.hexdigest(), self._signature)
            self._digest = hashlib.sha256()

    def _take_trailer(self, line: bytes) -> None:
        text = line.decode("latin-1").removesuffix("\n").removesuffix("\r")
        if self._slack:
            self._slack = False
            if text:
                raise _broken("There is data after the end of the chunked body.")
        elif text:
            # Clients that follow the documentation's example to the letter end a line with LF CR LF.
            self._loose = not line.endswith(b"\r\n")
            self._take_field(text)
        elif self._loose and self._chain:
            self._loose = False
        else:
            self._slack = self._loose
            self._end()

    def _take_field(self, text: str) -> None:
        name, colon, value = text.partition(":")
        name, value = name.strip().lower(), value.strip()
        if self._trailer_signature is not None:
            raise _broken("There is data after the trailer's signature.")
        if self._chain and name == _SIGNATURE and self._may_trail:
            if not _HEX.match(value):
                raise _broken("The trailer's signature is malformed.")
            self._trailer_signature = value
            return
        if not self._may_trail:
            raise _broken("There is data after the last chunk.")
        if not colon or name in self.trailers or len(self.trailers) >= _MAX_TRAILERS:
            raise S3Error("MalformedTrailerError")
        self.trailers[name] = value

    def _end(self) -> None:
        if self._chain and self._may_trail:
            if self._trailer_signature is None:
                raise _broken("The trailer is not signed.")
            self._chain.trailer(self.trailers, self._trailer_signature)
        self.done = True


def _broken(message: str) -> S3Error:
    return S3Error("IncompleteBody", message)
