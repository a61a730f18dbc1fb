"""docs/permissions.md, made of the table."""

from __future__ import annotations

from pathlib import Path

from .rows import SUBJECTS
from .table import ACTORS, Row

PATH = Path(__file__).resolve().parents[2] / "docs" / "permissions.md"
_HEAD = """\
# Who may do what

Made of the permission table in tests/permissions by `make permissions`; a test calls every row as every caller, and \
fails where an endpoint has no row or this page is out of date. 401: no valid credential, said before anything is \
looked up. 403: the permission is missing. 404: there is no such row, or it is another tenant's. Pages send whoever is \
signed out to the sign-in page (302); keys open no page.

The administration, `/admin/`, is for platform staff: anybody else is sent to its sign-in page, which \
answers 403 to who is signed in.

| caller | who |
|---|---|
"""


def document() -> str:
    """The page's text."""
    text = _HEAD + "".join(f"| {actor} | {who} |\n" for actor, who in ACTORS.items())
    for title, subject in SUBJECTS.items():
        text += f"\n## {title}\n\n| method | path | needs | {' | '.join(ACTORS)} |\n"
        text += "|---" * (3 + len(ACTORS)) + "|\n"
        text += "".join(map(_line, [*subject.ROWS, *getattr(subject, "STREAMS", ())]))
    return text


def _line(row: Row) -> str:
    path = f"`{row.path}`" + (f" {row.case}" if row.case else "")
    needs = f"`{row.permission}`" if row.permission else ""
    return f"| {row.method} | {path} | {needs} | {' | '.join(map(str, row.expected.values()))} |\n"
