"""Bodies into the store: written, digested, and compared with everything the request promised of them."""

from base64 import b64encode
from collections.abc import Collection, Mapping
from dataclasses import replace

from storage.s3 import checksums
from storage.s3.body import MAX_OBJECT, Body, Payload, Receive, announced_size
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request
from storage.store.digests import BlobInfo, Digests


class Promised:
    """What a request's head says of its body. Raises S3Error for what cannot be kept.

    `size` is what was announced; of a POST form's file only what it has at least (`is_exact` is False).
    """

    def __init__(self, request: Request, limit: int = MAX_OBJECT) -> None:
        self.payload = request.payload
        self.seed = request.seed
        self.is_exact = request.form_size is None
        if request.form_size is None:
            self.size = announced_size(self.payload, request.head.content_length, request.headers, limit)
        else:
            self.size = request.form_size
        self.checksum = checksums.asked(request.headers)
        self._md5 = checksums.content_md5(request.headers)
        self._sha256 = request.payload_hash if self.payload is Payload.HASHED else None
        if self.checksum and self.checksum.value is None and not self.payload.may_trail:
            raise S3Error("InvalidRequest", "x-amz-trailer needs a payload that is sent in chunks.")

    @property
    def algorithm(self) -> str:
        """The checksum to keep with the body: the one the client chose, else S3's default."""
        return self.checksum.algorithm if self.checksum else checksums.DEFAULT

    @property
    def algorithms(self) -> set[str]:
        """What has to be computed to `check`."""
        wanted = {self.checksum.algorithm} if self.checksum else set()
        return wanted | {"sha256"} if self._sha256 else wanted

    def check(self, md5: str, computed: Mapping[str, str], trailers: Mapping[str, str]) -> None:
        """Return when the body kept every promise. Raises BadDigest and its kin."""
        if self._sha256 and computed["sha256"] != b64encode(bytes.fromhex(self._sha256)).decode():
            raise S3Error("XAmzContentSHA256Mismatch", extra={"ClientComputedContentSHA256": self._sha256})
        if self._md5 and md5 != self._md5:
            raise S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.")
        trailing = self.checksum is not None and self.checksum.value is None
        if trailers.keys() != ({f"x-amz-checksum-{self.algorithm}"} if trailing else set()):
            raise S3Error("MalformedTrailerError")
        if self.checksum is None:
            return
        algorithm, value = self.checksum
        if value is None:
            value = checksums.valid(algorithm, trailers[f"x-amz-checksum-{algorithm}"])
        if computed[algorithm] != value:
            raise S3Error(
                "BadDigest",
                f"The {algorithm.upper()} you specified did not match the calculated checksum.",
            )


async def into_store(
    front: Front,
    promised: Promised,
    receive: Receive,
    *,
    keep: Collection[str],
    inline_limit: int = 0,
    sealing: bytes | None = None,
) -> BlobInfo:
    """The body as a blob, with the checksums named by `keep`. Raises S3Error; nothing of it is left then.

    With `sealing`, a data key, it is stored encrypted.
    """
    size = promised.size if promised.is_exact else None
    body = Body(receive, promised.payload, size, promised.seed)
    algorithms = promised.algorithms.union(keep)
    async with front.store.writer(
        algorithms,
        inline_limit=inline_limit,
        size_limit=MAX_OBJECT if size is None else size,
        expected=size or 0,
        sealing=sealing,
    ) as writer:
        async for piece in body:
            await writer.write(piece)
        info = await writer.finish()
    try:
        promised.check(info.md5, info.checksums, body.trailers)
    except S3Error:
        await discard(front, info)
        raise
    return replace(info, checksums={name: info.checksums[name] for name in keep})


def require_digest(request: Request) -> None:
    """Return when the request says what its body must be, as S3 wants it of those that lock or remove many objects.

    Raises InvalidRequest.
    """
    if "content-md5" not in request.headers and checksums.asked(request.headers) is None:
        raise S3Error(
            "InvalidRequest", "Content-MD5 or an x-amz-checksum- HTTP header is required for this request"
        )


async def discard(front: Front, info: BlobInfo) -> None:
    """Drop a blob that no row will name."""
    if info.id is not None:
        await front.store.delete([info.id])


async def document(request: Request, receive: Receive, limit: int) -> bytes:
    """A request's XML document. Raises S3Error for what is too long or not what was promised."""
    promised = Promised(request, limit)
    body = Body(receive, promised.payload, promised.size, promised.seed)
    content = b"".join([piece async for piece in body])
    digests = Digests(promised.algorithms)
    digests.update(content)
    promised.check(digests.md5(), digests.checksums(), body.trailers)
    return content
