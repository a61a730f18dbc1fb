"""LifecycleConfiguration: rules that expire objects, noncurrent versions, delete markers and unfinished uploads.

A rule keeps the form it was given: with a Filter, or (S3's first version) with a Prefix of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

from storage.s3.documents import schema
from storage.s3.documents.schema import Boolean, Choice, Field, Integer, Json, Moment, Struct, Text
from storage.s3.documents.tags import TAG, of_pairs
from storage.s3.errors import S3Error

MAX_RULES: Final = 1000
MAX_ID: Final = 255
MAX_NEWER_VERSIONS: Final = 100
ENABLED: Final = "Enabled"

_MAX_TAGS: Final = 10
_MAX_DAYS: Final = (1 << 31) - 1
_MAX_SIZE: Final = 50 * 1024**4
_CLASSES: Final = (
    "GLACIER",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "DEEP_ARCHIVE",
    "GLACIER_IR",
)

_ROOT: Final = "LifecycleConfiguration"
_PREFIX: Final = Field("Prefix", Text())
_LARGER: Final = Field("ObjectSizeGreaterThan", Integer())
_SMALLER: Final = Field("ObjectSizeLessThan", Integer())
_AND: Final = Struct((_PREFIX, Field("Tags", TAG, element="Tag", many=True), _LARGER, _SMALLER))
_FILTER: Final = Struct((_PREFIX, Field("Tag", TAG), _LARGER, _SMALLER, Field("And", _AND)))
_EXPIRATION: Final = Struct(
    (Field("Days", Integer()), Field("Date", Moment()), Field("ExpiredObjectDeleteMarker", Boolean()))
)
_NONCURRENT: Final = Struct((Field("NoncurrentDays", Integer()), Field("NewerNoncurrentVersions", Integer())))
_ABORT: Final = Struct((Field("DaysAfterInitiation", Integer()),))
_TRANSITION: Final = Struct(
    (
        Field("Days", Integer()),
        Field("Date", Moment()),
        Field("StorageClass", Choice(_CLASSES), required=True),
    )
)
_NONCURRENT_TRANSITION: Final = Struct(
    (
        Field("NoncurrentDays", Integer()),
        Field("NewerNoncurrentVersions", Integer()),
        Field("StorageClass", Choice(_CLASSES), required=True),
    )
)
_RULE: Final = Struct(
    (
        Field("ID", Text()),
        _PREFIX,
        Field("Filter", _FILTER),
        Field("Status", Choice((ENABLED, "Disabled")), required=True),
        Field("Expiration", _EXPIRATION),
        Field("NoncurrentVersionExpiration", _NONCURRENT),
        Field("AbortIncompleteMultipartUpload", _ABORT),
        Field("Transitions", _TRANSITION, element="Transition", many=True),
        Field(
            "NoncurrentVersionTransitions",
            _NONCURRENT_TRANSITION,
            element="NoncurrentVersionTransition",
            many=True,
        ),
    )
)
_KIND: Final = Struct((Field("Rules", _RULE, element="Rule", many=True, required=True),))


def read(body: bytes) -> list[Json]:
    """The rules, each with an ID. Dates are midnights, UTC, `2026-01-02T00:00:00.000Z`.

    Raises MalformedXML, InvalidArgument, InvalidRequest, and NotImplemented for transitions to storage classes.
    """
    return _sound(schema.read(_KIND, _ROOT, body)["Rules"])


def check(rules: object) -> list[Json]:
    """The same, given as JSON."""
    return _sound(schema.check(_KIND, _ROOT, {"Rules": rules})["Rules"])


def write(rules: Sequence[Mapping[str, Any]]) -> bytes:
    return schema.write(_KIND, _ROOT, {"Rules": rules})


def _sound(rules: list[Json]) -> list[Json]:
    if not 1 <= len(rules) <= MAX_RULES:
        raise S3Error("MalformedXML", f"There must be 1 to {MAX_RULES} rules.")
    for rule in rules:
        if len(rule.get("ID", "")) > MAX_ID:
            raise S3Error("InvalidArgument", f"ID length should not exceed allowed limit of {MAX_ID}")
        rule["ID"] = rule.get("ID") or str(uuid4())
        _check_filter(rule)
        _check_actions(rule)
    if len({rule["ID"] for rule in rules}) < len(rules):
        raise S3Error("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
    if any("Transitions" in rule or "NoncurrentVersionTransitions" in rule for rule in rules):
        raise S3Error("NotImplemented", "There is one storage class, so no transition to another.")
    return rules


def _check_filter(rule: Json) -> None:
    if ("Filter" in rule) == ("Prefix" in rule):
        raise S3Error("MalformedXML", "A rule has a Filter or a Prefix.")
    chosen = rule.get("Filter", {})
    if len(chosen) > 1:
        raise S3Error("MalformedXML", "A Filter has one condition, or several within And.")
    both = chosen.get("And", chosen)
    if "And" in chosen and not both:
        raise S3Error("MalformedXML", "And has conditions.")
    of_pairs(tags_of(rule), _MAX_TAGS)
    least, most = both.get("ObjectSizeGreaterThan", 0), both.get("ObjectSizeLessThan", _MAX_SIZE)
    if not 0 <= least <= _MAX_SIZE or not 1 <= most <= _MAX_SIZE:
        raise S3Error("InvalidRequest", f"Sizes of objects are 0 to {_MAX_SIZE}.")
    if least >= most:
        raise S3Error(
            "InvalidRequest", "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'"
        )


def tags_of(rule: Json) -> list[dict[str, str]]:
    """The tags that an object must have, as a list of Key and Value."""
    chosen = rule.get("Filter", {})
    tags: list[dict[str, str]] = chosen.get("And", {}).get("Tags", [])
    return [chosen["Tag"]] if "Tag" in chosen else tags


def _check_actions(rule: Json) -> None:
    chosen = rule.get("Filter", {})
    sized = {"ObjectSizeGreaterThan", "ObjectSizeLessThan"} & chosen.get("And", chosen).keys()
    expiration = rule.get("Expiration")
    if expiration is not None:
        _check_expiration(expiration)
        if expiration.get("ExpiredObjectDeleteMarker") and (tags_of(rule) or sized):
            raise S3Error(
                "InvalidRequest", "ExpiredObjectDeleteMarker cannot be specified with Tags or Object Size."
            )
    noncurrent = rule.get("NoncurrentVersionExpiration")
    if noncurrent is not None:
        _positive(noncurrent, "NoncurrentDays", "NoncurrentVersionExpiration")
        if "NewerNoncurrentVersions" in noncurrent:
            if "Filter" not in rule:
                raise S3Error("InvalidRequest", "NewerNoncurrentVersions needs a Filter.")
            _positive(
                noncurrent, "NewerNoncurrentVersions", "NoncurrentVersionExpiration", MAX_NEWER_VERSIONS
            )
    abort = rule.get("AbortIncompleteMultipartUpload")
    if abort is not None:
        _positive(abort, "DaysAfterInitiation", "AbortIncompleteMultipartUpload")
        if tags_of(rule) or sized:
            raise S3Error(
                "InvalidRequest",
                "AbortIncompleteMultipartUpload cannot be specified with Tags or Object Size.",
            )
    for transition in rule.get("Transitions", []):
        _check_date(transition)
    actions = {
        "Expiration",
        "NoncurrentVersionExpiration",
        "AbortIncompleteMultipartUpload",
        "Transitions",
        "NoncurrentVersionTransitions",
    }
    if not actions & rule.keys():
        raise S3Error("InvalidRequest", "At least one action needs to be specified in a rule.")


def _check_expiration(expiration: Json) -> None:
    if len(expiration) > 1 and expiration.get("ExpiredObjectDeleteMarker") is False:
        del expiration["ExpiredObjectDeleteMarker"]  # some clients say of every switch that it is off
    if len(expiration) != 1:
        raise S3Error("MalformedXML", "An Expiration has Days, a Date or ExpiredObjectDeleteMarker.")
    if "Days" in expiration:
        _positive(expiration, "Days", "Expiration")
    _check_date(expiration)


def _check_date(action: Json) -> None:
    if not action.get("Date", "T00:00:00.000Z").endswith("T00:00:00.000Z"):
        raise S3Error("InvalidArgument", "'Date' must be at midnight GMT")


def _positive(action: dict[str, Any], name: str, of: str, most: int = _MAX_DAYS) -> None:
    if not 1 <= action.get(name, 0) <= most:
        wanted = "a positive integer" if most == _MAX_DAYS else f"1 to {most}"
        raise S3Error("InvalidArgument", f"'{name}' for {of} action must be {wanted}")
