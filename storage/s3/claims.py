"""Who a request says signed it, in any of the places and versions that are understood, and whether that is so.

| | header | query (presigned) |
|---|---|---|
| Signature Version 4 | `Authorization: AWS4-HMAC-SHA256 …` | `X-Amz-Signature=…` |
| Signature Version 2 | `Authorization: AWS id:signature` | `AWSAccessKeyId=…&Signature=…` |

A request makes one claim or none (anonymous). POST forms claim inside their body: `storage.s3.post_policy`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from gateway.decision.types import RequestHead
from storage.s3 import checksums, sigv2, sigv4, sigv4_claim
from storage.s3.chain import Seed
from storage.s3.errors import S3Error

Claim = sigv4.Claim | sigv2.Claim

_NEVER_MOVED: Final = checksums.HEADERS | {"x-amz-sdk-checksum-algorithm"}


def read(
    headers: Mapping[str, str], raw_query: str, now: datetime, resources: tuple[str, ...]
) -> Claim | None:
    """The request's claim, its form and times checked; None when it makes none.

    `headers` are by lower-case name, duplicates joined by a comma; `resources` are `sigv2.resources_of`. Raises S3Error
    for a claim that is malformed, ambiguous, too old, too new or not understood.
    """
    authorization = headers.get("authorization", "").strip()
    places = (sigv4_claim.in_query(raw_query), sigv2.in_query(raw_query), bool(authorization))
    if sum(places) > 1:
        raise S3Error(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
            "Signature query string parameter or the Authorization header should be specified",
            extra={"ArgumentName": "Authorization", "ArgumentValue": authorization},
        )
    if places[0]:
        return sigv4_claim.from_query(headers, raw_query, now)
    if places[1]:
        return sigv2.from_query(headers, raw_query, now, resources)
    return _from_header(headers, authorization, now, resources) if authorization else None


def prove(claim: Claim, secret: str, head: RequestHead, headers: Mapping[str, str]) -> Seed | None:
    """Return when `secret` signed exactly this request: with what a body in signed chunks is proven by.

    Raises SignatureDoesNotMatch, or AccessDenied for what would have had to be signed.
    """
    if isinstance(claim, sigv4.Claim):
        return sigv4.prove(claim, secret, head.method, head.raw_path, head.raw_query, headers)
    sigv2.prove(claim, secret, head.method, head.raw_query, headers)
    return None


def meant(claim: Claim, headers: dict[str, str], query: Mapping[str, str]) -> dict[str, str]:
    """The headers of a proven request with the x-amz-* that its signer moved into the query.

    A session token stays out: it is nobody's business behind the door. So does a checksum that is not a signed header,
    as at AWS: whoever presigns has no body yet, and AWS' SDK for JavaScript puts that of nothing there.
    """
    if claim.presigned:
        moved = {
            name: value
            for name, value in query.items()
            if name not in sigv4.QUERY_CLAIM and name.lower() not in _NEVER_MOVED
        }
        headers = sigv2.headers_of(headers, moved)
    return {name: value for name, value in headers.items() if name != "x-amz-security-token"}


def _from_header(
    headers: Mapping[str, str], authorization: str, now: datetime, resources: tuple[str, ...]
) -> Claim:
    mechanism, space, _ = authorization.partition(" ")
    if not space:
        raise S3Error(
            "InvalidArgument",
            "Authorization header is invalid -- one and only one ' ' (space) required",
            extra={"ArgumentName": "Authorization", "ArgumentValue": authorization},
        )
    if mechanism == sigv4.ALGORITHM:
        return sigv4_claim.from_header(headers, authorization, now)
    if mechanism == "AWS":
        return sigv2.from_header(headers, authorization, now, resources)
    if mechanism == sigv4_claim.ASYMMETRIC:
        raise S3Error("NotImplemented", f"Please use {sigv4.ALGORITHM}.")
    raise S3Error(
        "InvalidArgument",
        "Unsupported Authorization Type",
        extra={"ArgumentName": "Authorization", "ArgumentValue": mechanism},
    )
