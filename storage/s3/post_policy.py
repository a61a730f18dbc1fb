"""The policy of a POST form: who signed it, until when, and what a form may say by it.

Follows "Creating a POST policy" and "Authenticating requests in browser-based uploads" of the S3 API reference, and
the fields of Signature Version 2 from before (`AWSAccessKeyId`, `signature`). Field names have no case.
"""

import base64
import binascii
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from storage.s3 import clock, sigv2, sigv4
from storage.s3.errors import S3Error
from storage.s3.sigv4_claim import scope_of

_V4: Final = ("policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_V2: Final = ("policy", "awsaccesskeyid", "signature")
_LIFETIME: Final = timedelta(days=7)  # of a day's signing key
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z\Z", re.ASCII)
# What a policy need not mention. A checksum can only refuse a file, never change what is stored.
_FREE: Final = frozenset({"policy", "signature", "x-amz-signature", "awsaccesskeyid", "file"})
_FREE_PREFIXES: Final = ("x-ignore-", "x-amz-checksum-")
_MATCHES: Final = ("eq", "starts-with")


class Claim(NamedTuple):
    """Who a form says signed its policy. Nothing of it is proven yet."""

    access_key_id: str
    policy: str  # Base64, as signed
    signature: str
    security_token: str
    credential: str = ""  # of Signature Version 4, else empty
    timestamp: str = ""


class Range(NamedTuple):
    """How many bytes a file may have."""

    least: int
    most: int


def read_claim(fields: Mapping[str, str], now: datetime) -> Claim | None:
    """A form's claim; None for a form without one (anonymous). An empty field counts as none.

    Raises InvalidArgument for one that is malformed or lacks a field, AccessDenied for one of the wrong time.
    """
    given = {name for name, value in fields.items() if value}
    if not given & {*_V4, *_V2}:
        return None
    if given & {"awsaccesskeyid", "signature"} and not given & set(_V4[1:]):
        _require(_V2, given)
        token = fields.get("x-amz-security-token", "")
        return Claim(fields["awsaccesskeyid"], fields["policy"], fields["signature"], token)
    if given & {"awsaccesskeyid", "signature"}:
        raise S3Error("InvalidArgument", "Only one auth mechanism allowed")
    _require(_V4, given)
    algorithm, credential, timestamp = (fields[name] for name in _V4[1:4])
    if algorithm != sigv4.ALGORITHM:
        raise _argument("x-amz-algorithm", algorithm, f"X-Amz-Algorithm only supports {sigv4.ALGORITHM}")
    if not clock.is_timestamp(timestamp):
        raise _argument(
            "x-amz-date",
            timestamp,
            "X-Amz-Date must be formated via ISO8601 Long format",
        )
    signed = clock.moment(timestamp)
    if signed > now + timedelta(seconds=clock.MAX_SKEW):
        raise S3Error("AccessDenied", "Request is not yet valid")
    if now > signed + _LIFETIME:
        raise _unfit("Policy expired.")
    access_key_id, _, _ = scope_of(
        credential, timestamp, "s3", lambda message: _argument("x-amz-credential", credential, message)
    )
    token = fields.get("x-amz-security-token", "")
    return Claim(access_key_id, fields["policy"], fields["x-amz-signature"], token, credential, timestamp)


def prove(claim: Claim, secret: str) -> None:
    """Return when `secret` signed the claim's policy. Raises SignatureDoesNotMatch."""
    if claim.credential:
        _, date, region, service, _ = claim.credential.split("/")
        key = sigv4.signing_key(secret, date, region, service)
        expected = hmac.digest(key, claim.policy.encode(), "sha256").hex().encode()
        signature = claim.signature.encode()
    else:
        expected, signature = sigv2.sign(secret, claim.policy), sigv2.decoded(claim.signature)
    if not hmac.compare_digest(expected, signature):
        raise S3Error("SignatureDoesNotMatch", extra={"AWSAccessKeyId": claim.access_key_id})


def check(encoded: str, fields: Mapping[str, str], now: datetime) -> Range | None:
    """The size that a policy allows (None: any), once it is valid, in time, and met by every one of `fields`.

    `fields` are by lower-case name, with the `key` as it will be and the `bucket` that was asked.
    Raises InvalidPolicyDocument, or AccessDenied with the condition that failed.
    """
    policy = _document(encoded)
    if now >= _expiration(policy["expiration"]):
        raise _unfit("Policy expired.")
    allowed: Range | None = None
    named: set[str] = set()
    for condition in policy["conditions"]:
        operator, name, value = _condition(condition)
        if operator == "content-length-range":
            least, most = name, value
            allowed = (
                Range(max(least, allowed.least), min(most, allowed.most)) if allowed else Range(least, most)
            )
            continue
        field = name.removeprefix("$").lower()
        named.add(field)
        if not name.startswith("$") or not _meets(operator, field, fields.get(field, ""), value):
            raise _unfit(f"Policy Condition failed: {json.dumps([operator, name, value])}")
    for field in fields:
        if field not in named and field not in _FREE and not field.startswith(_FREE_PREFIXES):
            raise _unfit(f"Extra input fields: {field}")
    return allowed


def _document(encoded: str) -> dict[str, Any]:
    try:
        policy = json.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, UnicodeError):
        raise _invalid("invalid Base64 encoding.") from None
    except (ValueError, RecursionError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(policy, dict):
        raise _invalid("Invalid JSON.")
    for name in policy:
        if name not in ("expiration", "conditions"):
            raise _invalid(f'Unexpected: "{name}"')
    if "expiration" not in policy:
        raise _invalid("Policy missing expiration.")
    if "conditions" not in policy:
        raise _invalid("Policy missing conditions.")
    if not isinstance(policy["conditions"], list):
        raise _invalid("Invalid 'conditions' value: must be a List.")
    return policy


def _expiration(text: Any) -> datetime:
    try:
        if not isinstance(text, str) or not _DATE.match(text):
            raise ValueError
        return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise _invalid(f"Invalid 'expiration' value: '{text}'") from None


def _condition(condition: Any) -> tuple[str, Any, Any]:
    """Operator, field and value; of a range its two bounds."""
    if isinstance(condition, dict):
        if len(condition) != 1:
            raise _invalid(
                "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
            )
        [(name, value)] = condition.items()
        if not isinstance(value, str):
            raise _invalid("Invalid Simple-Condition: value must be a string.")
        return "eq", f"${name}", value
    if not isinstance(condition, list):
        raise _invalid("Invalid condition test: must be a List or Object.")
    if not condition or not isinstance(condition[0], str):
        raise _invalid("Invalid Condition: missing operation identifier.")
    operator, values = condition[0].lower(), condition[1:]
    if operator not in (*_MATCHES, "content-length-range"):
        raise _invalid(f"Invalid Condition: unknown operation '{condition[0]}'.")
    if len(values) != 2:
        raise _invalid(f"Invalid {operator}: wrong number of arguments.")
    kind = str if operator in _MATCHES else int
    if not all(isinstance(value, kind) and not isinstance(value, bool) for value in values):
        raise _invalid("Invalid JSON.")
    if kind is int and not 0 <= values[0] <= values[1]:
        raise _invalid("Invalid content-length-range: the bounds must be in order and not negative.")
    return operator, values[0], values[1]


def _meets(operator: str, field: str, given: str, wanted: str) -> bool:
    if operator == "eq":
        return given == wanted
    if field == "content-type":
        return all(part.strip().startswith(wanted) for part in given.split(","))
    return given.startswith(wanted)


def _require(names: tuple[str, ...], given: set[str]) -> None:
    for name in names:
        if name not in given:
            shown = "AWSAccessKeyId" if name == "awsaccesskeyid" else name
            raise _argument(
                shown,
                "",
                f"Bucket POST must contain a field named '{shown}'.  "
                "If it is specified, please check the order of the fields.",
            )


def _argument(name: str, value: str, message: str) -> S3Error:
    return S3Error("InvalidArgument", message, extra={"ArgumentName": name, "ArgumentValue": value})


def _invalid(message: str) -> S3Error:
    return S3Error("InvalidPolicyDocument", f"Invalid Policy: {message}")


def _unfit(message: str) -> S3Error:
    return S3Error("AccessDenied", f"Invalid according to Policy: {message}")
