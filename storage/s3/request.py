"""A request on its way from a claim to a proven caller."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.decision.types import RequestHead
from storage.index import BucketInfo
from storage.s3 import claims, sigv2
from storage.s3.body import Payload, payload_of
from storage.s3.chain import Seed
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.operation import Operation, classify
from storage.s3.sigv4 import UNSIGNED
from storage.s3.target import Target, locate, parse_query
from storage.s3.xml import MAX_PARTS, Owner
from storage.snapshot import AccessKeyInfo

_INTEGER: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A request whose signature is proven, or that has none, and whose caller may do what it asks for.

    `headers` are by lower-case name; a presigned URL's x-amz-* parameters count as headers.
    """

    head: RequestHead
    operation: Operation
    bucket_name: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    payload_hash: str
    access: AccessKeyInfo
    found: BucketInfo | None = None
    seed: Seed | None = None  # proves a body that is signed in chunks
    form_size: int | None = None  # bytes that a POST form's file has at least
    claim: claims.Claim | None = None  # None: nobody signed it

    @property
    def bucket(self) -> BucketInfo:
        """The bucket that the request is about, found when it was admitted: of any tenant that lets the caller in."""
        assert self.found is not None, "the service and buckets to be made have none"
        return self.found

    @property
    def payload(self) -> Payload:
        """How the body travels. Raises NotImplemented or InvalidArgument."""
        return payload_of(self.payload_hash)

    @property
    def owner(self) -> Owner:
        """Whose the bucket is, or the buckets are."""
        slug = self.found.owner if self.found else self.access.tenant_slug
        return Owner(slug, slug)

    @property
    def part_number(self) -> int:
        """The number of the part that is written. Raises InvalidArgument."""
        number = self.number("partNumber", MAX_PARTS + 1, default=0)
        if not 1 <= number <= MAX_PARTS:
            raise S3Error(
                "InvalidArgument",
                f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive.",
                extra={"ArgumentName": "partNumber", "ArgumentValue": self.query.get("partNumber", "")},
            )
        return number

    def number(self, name: str, most: int, *, default: int | None = None) -> int:
        """A counting parameter, at most `most`; `default` (else `most`) when it is not given.

        Raises InvalidArgument.
        """
        text = self.query.get(name, "")
        if not text:
            return most if default is None else default
        if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) > _INTEGER:
            raise S3Error(
                "InvalidArgument",
                f"Argument {name} must be an integer between 0 and 2147483647",
                extra={"ArgumentName": name, "ArgumentValue": text},
            )
        return min(int(text), most)


@dataclass(frozen=True, slots=True, eq=False)
class Claimed:
    """What a request says it is: good for choosing who looks at it, and for nothing else."""

    head: RequestHead
    operation: Operation
    target: Target
    query: dict[str, str]
    headers: dict[str, str]
    claim: claims.Claim | None
    access: AccessKeyInfo

    def prove(self) -> Request:
        """The request as it may be carried out. Raises S3Error."""
        head, claim, headers, seed = self.head, self.claim, self.headers, None
        if claim is not None:
            seed = claims.prove(claim, self.access.secret, head, headers)
            headers = claims.meant(claim, headers, self.query)
        return Request(
            head,
            self.operation,
            self.target.bucket,
            self.target.key,
            self.query,
            headers,
            headers.get("x-amz-content-sha256", UNSIGNED) if claim is None else claim.payload_hash,
            self.access,
            seed=seed,
            claim=claim,
        )


async def claimed(head: RequestHead, front: Front) -> Claimed:
    """Read a request's head and find the key it names; who names none is anonymous. Raises S3Error."""
    target = locate(head.host, head.raw_path, front.domain)
    query = parse_query(head.raw_query)
    headers = by_name(head)
    asked = classify(head.method, target, query, headers)
    resources = sigv2.resources_of(head.host, head.raw_path, front.domain)
    claim = claims.read(headers, head.raw_query, datetime.now(UTC), resources)
    if claim is None:
        access = front.anonymous(head.host)
    else:
        access = await front.access_key(claim.access_key_id, claim.security_token)
    return Claimed(head, asked, target, query, headers, claim, access)


def by_name(head: RequestHead) -> dict[str, str]:
    """The headers by lower-case name; what was sent twice is joined as SigV4 joins it."""
    found: dict[str, str] = {}
    for raw_name, raw_value in head.headers.raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found
