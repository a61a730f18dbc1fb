"""Documents declared as data: read from XML, checked as JSON, written as XML.

Reading refuses with MalformedXML what S3's published schema does: an unknown or repeated element, a required one left
out, text where elements belong, a value outside its type. What S3 tells in other words is the document's own affair.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NoReturn
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from storage.s3.errors import S3Error
from storage.s3.text import escape, iso

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
LIMIT: Final = 1 << 20
"""Bytes of a document that sets something; policies and CORS have limits of their own."""
MAX_TAGS: Final = 40_000
"""Of a document, attributes counted too: reading holds up every other request, whoever sent it."""

_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d(T.*)?")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_TRUTH: Final = {"true": True, "1": True, "false": False, "0": False}

Json = dict[str, Any]


class Kind:
    """What a value is. `read` takes an element, `check` a value of JSON; both give the value as it is kept."""

    def read(self, found: Element, path: str) -> Any:
        """Raises MalformedXML, which names `path`."""
        if len(found):
            malformed(path, "must hold text")
        return self.parse(found.text or "", path)

    def parse(self, text: str, path: str) -> Any:
        raise NotImplementedError

    def check(self, value: Any, path: str) -> Any:
        raise NotImplementedError

    def write(self, value: Any) -> str:
        return escape(str(value))


@dataclass(frozen=True)
class Text(Kind):
    """Lengths are in characters."""

    least: int = 0
    most: int = 1024

    def parse(self, text: str, path: str) -> str:
        return self.check(text, path)

    def check(self, value: Any, path: str) -> str:
        if not isinstance(value, str) or "\0" in value or not self.least <= len(value) <= self.most:
            malformed(path, f"must be a text of {self.least} to {self.most} characters")
        return value


@dataclass(frozen=True)
class Choice(Kind):
    """One of some words."""

    words: tuple[str, ...]

    def parse(self, text: str, path: str) -> str:
        return self.check(text.strip(), path)

    def check(self, value: Any, path: str) -> str:
        if value not in self.words:
            malformed(path, f"must be {' or '.join(self.words)}")
        return str(value)


@dataclass(frozen=True)
class Integer(Kind):
    """A whole number of at most 63 bits; ranges are the documents' affair, whose errors differ."""

    def parse(self, text: str, path: str) -> int:
        if not _INTEGER.fullmatch(text.strip()):
            malformed(path, "must be a whole number")
        return int(text)

    def check(self, value: Any, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 62:
            malformed(path, "must be a whole number")
        return value


@dataclass(frozen=True)
class Boolean(Kind):
    def parse(self, text: str, path: str) -> bool:
        return self.check(_TRUTH.get(text.strip().lower()), path)

    def check(self, value: Any, path: str) -> bool:
        if not isinstance(value, bool):
            malformed(path, "must be true or false")
        return value

    def write(self, value: Any) -> str:
        return "true" if value else "false"


@dataclass(frozen=True)
class Moment(Kind):
    """A time in ISO 8601, kept as `2026-01-02T03:04:05.000Z`; a date alone is its midnight, UTC."""

    def parse(self, text: str, path: str) -> str:
        return self.check(text.strip(), path)

    def check(self, value: Any, path: str) -> str:
        try:
            if not _ISO.fullmatch(value):
                raise ValueError
            moment = datetime.fromisoformat(value)
            return iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        except (TypeError, ValueError, OverflowError):
            malformed(path, "must be a time in ISO 8601")


@dataclass(frozen=True)
class Field:
    """A member of a Struct: its `name` in JSON, its `element` in XML (the same unless given).

    `many` members are lists: repeated elements, or with `wrapped` elements of that name inside one `element`.
    `attribute` is xsi:type, the one attribute that S3 knows.
    """

    name: str
    kind: Kind
    element: str = ""
    required: bool = False
    many: bool = False
    wrapped: str = ""
    attribute: bool = False

    @property
    def tag(self) -> str:
        return self.element or self.name


@dataclass(frozen=True)
class Struct(Kind):
    """Elements in any order. In JSON an object; members that were left out are not in it."""

    fields: tuple[Field, ...]

    def read(self, found: Element, path: str) -> Json:
        if (found.text or "").strip() or any((child.tail or "").strip() for child in found):
            malformed(path, "must hold elements")
        by_tag = {field.tag: field for field in self.fields if not field.attribute}
        value: Json = {}
        for child in found:
            name = local(child)
            field = by_tag.get(name)
            at = f"{path}.{name}"
            if field is None:
                malformed(at, "is unknown")
            if field.many and not field.wrapped:
                value.setdefault(field.name, []).append(field.kind.read(child, at))
            elif field.name in value:
                malformed(at, "is there twice")
            elif field.many:
                value[field.name] = [field.kind.read(item, at) for item in _items(child, field.wrapped, at)]
            else:
                value[field.name] = field.kind.read(child, at)
        for field in self.fields:
            if field.attribute and f"{{{XSI}}}type" in found.attrib:
                value[field.name] = field.kind.parse(found.attrib[f"{{{XSI}}}type"], f"{path}.{field.name}")
        return self._complete(value, path)

    def check(self, value: Any, path: str) -> Json:
        if not isinstance(value, dict):
            malformed(path, "must be an object")
        known = {field.name: field for field in self.fields}
        for name in value:
            if name not in known:
                malformed(f"{path}.{name}", "is unknown")
        checked = {}
        for name, field in known.items():
            if value.get(name) is None:
                continue
            at = f"{path}.{name}"
            if not field.many:
                checked[name] = field.kind.check(value[name], at)
            elif isinstance(value[name], list):
                checked[name] = [field.kind.check(item, at) for item in value[name]]
            else:
                malformed(at, "must be a list")
        return self._complete(checked, path)

    def write(self, value: Mapping[str, Any]) -> str:
        return "".join(self._members(value))

    def _members(self, value: Mapping[str, Any]) -> Iterator[str]:
        for field in self.fields:
            if field.name not in value or field.attribute:
                continue
            items = value[field.name] if field.many else [value[field.name]]
            tag = field.wrapped or field.tag
            text = "".join(_element(tag, field.kind, item) for item in items)
            yield f"<{field.tag}>{text}</{field.tag}>" if field.wrapped else text

    def _complete(self, value: Json, path: str) -> Json:
        for field in self.fields:
            if field.required and field.name not in value:
                malformed(f"{path}.{field.tag}", "is missing")
        return value


def malformed(path: str, what: str) -> NoReturn:
    """Raise MalformedXML in S3's words, and ours for where it is."""
    raise S3Error("MalformedXML", f"The document is not valid: {path} {what}.")


def read(kind: Struct, root: str, body: bytes, most_tags: int = MAX_TAGS) -> Json:
    """The document of that root element. Raises MalformedXML."""
    return kind.read(parse(body, root, most_tags), root)


def check(kind: Struct, root: str, value: object) -> Json:
    """The same document given as JSON. Raises MalformedXML, which speaks of the document."""
    return kind.check(value, root)


def write(kind: Struct, root: str, value: Mapping[str, Any]) -> bytes:
    """The document, as S3 answers it."""
    return f'{_HEAD}<{root} xmlns="{NAMESPACE}">{kind.write(value)}</{root}>'.encode()


def parse(body: bytes, root: str, most_tags: int = MAX_TAGS) -> Element:
    """The root element of a body, which is XML 1.0 without a DTD. Raises MalformedXML, MissingRequestBodyError."""
    if not body:
        raise S3Error("MissingRequestBodyError")
    # In every encoding that the parser takes these stand for themselves; an attribute has two quotes.
    if body.count(b"<") + (body.count(b'"') + body.count(b"'")) // 2 > most_tags:
        raise S3Error("MalformedXML", f"The document has more than {most_tags} tags.")
    try:
        found: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise S3Error("MalformedXML") from None
    if local(found) != root:
        malformed(root, "is not the root element")
    return found


def local(found: Element) -> str:
    """An element's name; the namespace must be S3's, or left out as some clients do. Raises MalformedXML."""
    if not isinstance(found.tag, str):
        raise S3Error("MalformedXML")
    space, brace, name = found.tag.rpartition("}")
    if brace and space[1:] != NAMESPACE:
        malformed(name, "is in another namespace")
    return name


def _items(found: Element, wrapped: str, path: str) -> Iterator[Element]:
    if (found.text or "").strip():
        malformed(path, "must hold elements")
    for child in found:
        if local(child) != wrapped or (child.tail or "").strip():
            malformed(f"{path}.{local(child)}", "is unknown")
        yield child


def _element(tag: str, kind: Kind, value: Any) -> str:
    attributes = ""
    if isinstance(kind, Struct):
        for field in kind.fields:
            if field.attribute and field.name in value:
                attributes = f' xmlns:xsi="{XSI}" xsi:type="{escape(value[field.name])}"'
    return f"<{tag}{attributes}>{kind.write(value)}</{tag}>"
