"""CORSConfiguration. What the rules mean is `storage.cors`' affair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from storage.s3.documents import schema
from storage.s3.documents.schema import Field, Integer, Json, Struct, Text
from storage.s3.errors import S3Error

LIMIT: Final = 64 << 10
MAX_RULES: Final = 100
METHODS: Final = ("GET", "PUT", "POST", "DELETE", "HEAD")

_ROOT: Final = "CORSConfiguration"
_NAME: Final = Text(least=1, most=1024)
_RULE: Final = Struct(
    (
        Field("ID", Text(most=255)),
        Field("AllowedMethods", Text(most=64), element="AllowedMethod", many=True, required=True),
        Field("AllowedOrigins", _NAME, element="AllowedOrigin", many=True, required=True),
        Field("AllowedHeaders", _NAME, element="AllowedHeader", many=True),
        Field("ExposeHeaders", _NAME, element="ExposeHeader", many=True),
        Field("MaxAgeSeconds", Integer()),
    )
)
_KIND: Final = Struct((Field("CORSRules", _RULE, element="CORSRule", many=True, required=True),))


def read(body: bytes) -> list[Json]:
    """The rules. Raises MalformedXML, InvalidRequest."""
    return _sound(schema.read(_KIND, _ROOT, body)["CORSRules"])


def check(rules: object) -> list[Json]:
    """The same, given as JSON."""
    return _sound(schema.check(_KIND, _ROOT, {"CORSRules": rules})["CORSRules"])


def write(rules: Sequence[Mapping[str, Any]]) -> bytes:
    return schema.write(_KIND, _ROOT, {"CORSRules": rules})


def _sound(rules: list[Json]) -> list[Json]:
    if not 1 <= len(rules) <= MAX_RULES:
        raise S3Error("MalformedXML", f"There must be 1 to {MAX_RULES} rules of CORS.")
    for rule in rules:
        if not rule["AllowedMethods"] or not rule["AllowedOrigins"]:
            raise S3Error("MalformedXML", "A rule of CORS needs a method and an origin.")
        for method in rule["AllowedMethods"]:
            if method not in METHODS:
                raise S3Error(
                    "InvalidRequest",
                    f"Found unsupported HTTP method in CORS config. Unsupported method is {method}",
                )
        _one_wildcard("AllowedOrigin", rule["AllowedOrigins"])
        _one_wildcard("AllowedHeader", rule.get("AllowedHeaders", []))
        for name in rule.get("ExposeHeaders", []):
            if "*" in name:
                raise S3Error(
                    "InvalidRequest",
                    f'ExposeHeader "{name}" contains wildcard. '
                    "We currently do not support wildcard for ExposeHeader.",
                )
        # They end up in headers of answers.
        for name in [
            *rule["AllowedOrigins"],
            *rule.get("AllowedHeaders", []),
            *rule.get("ExposeHeaders", []),
        ]:
            if not name.isascii() or not name.isprintable() or "," in name:
                raise S3Error("InvalidRequest", f'"{name}" cannot stand in a header.')
        if not 0 <= rule.get("MaxAgeSeconds", 0) < 1 << 31:
            raise S3Error("MalformedXML", "MaxAgeSeconds must be 0 to 2147483647.")
    return rules


def _one_wildcard(element: str, names: list[str]) -> None:
    for name in names:
        if name.count("*") > 1:
            raise S3Error("InvalidRequest", f'{element} "{name}" can not have more than one wildcard.')
