"""Tables of rows that come in and go out: CSV (RFC 4180, UTF-8) and JSON (an array of flat objects).

A spreadsheet runs a cell that begins like a formula, so such texts are written with an apostrophe before them; it is
taken away again when they are read.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rest_framework.serializers import BaseSerializer

from gateway.errors import DomainError, Invalid

MOST_ROWS = 2000
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


@dataclass(frozen=True, slots=True)
class Row:
    """`number` is what a person sees: of a CSV the spreadsheet's row (the first data row is 2), of JSON from 1.

    From a CSV all values are texts, and empty cells are left out.
    """

    number: int
    values: dict[str, Any]


class Refusals:
    """What is wrong with which rows, gathered so that all of it is told at once."""

    def __init__(self) -> None:
        self._errors: dict[str, list[str]] = {}
        self._rows: set[int] = set()

    def add(self, row: Row, error: DomainError) -> None:
        """A verb's refusal of a row, by its fields."""
        self._rows.add(row.number)
        if not error.errors:
            self._errors.setdefault(str(row.number), []).append(error.detail)
        for field, texts in error.errors.items():
            self._errors.setdefault(f"{row.number}.{field}", []).extend(texts)

    def check(self) -> None:
        """Raises Invalid, code `rows_refused`, where any row was refused; `errors` is by `<row>.<column>`."""
        if not self._rows:
            return
        where, texts = next(iter(self._errors.items()))
        count = len(self._rows)
        raise Invalid(
            f"{count} row{'' if count == 1 else 's'} cannot be taken, so none was. Row {where.replace('.', ', ', 1)}: "
            f"{texts[0]}",
            code="rows_refused",
            errors=self._errors,
        )


def read_csv(content: bytes | str, columns: Sequence[str]) -> list[Row]:
    """The rows below the line of column names, which may be in any order. Comma or semicolon separates.

    Raises Invalid for what is no such table, for columns that are unknown or twice, and beyond MOST_ROWS.
    """
    text = content if isinstance(content, str) else _decoded(content)
    text = text.removeprefix("\ufeff")
    head = text.partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=";" if head.count(";") > head.count(",") else ","
    )
    try:
        lines = [(n, line) for n, line in enumerate(reader, 1) if any(cell.strip() for cell in line)]
    except csv.Error as e:
        raise Invalid(f"This is not CSV: {e}.", code="not_a_table") from None
    if not lines:
        raise Invalid("The table is empty.", code="not_a_table")
    names = [name.strip() for name in lines[0][1]]
    _check_columns(names, columns)
    for number, line in lines[1:]:
        if len(line) > len(names):
            raise Invalid(f"Row {number} has more cells than there are columns.", code="not_a_table")
    return _bounded(
        Row(number, {name: _plain(cell) for name, cell in zip(names, line, strict=False) if cell.strip()})
        for number, line in lines[1:]
    )


def read_json(content: object, columns: Sequence[str]) -> list[Row]:
    """The rows of a parsed array of objects. Raises Invalid as `read_csv` does."""
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise Invalid("An array of objects is expected.", code="not_a_table")
    for item in content:
        _check_columns(list(item), columns)
    return _bounded(Row(number, dict(item)) for number, item in enumerate(content, 1))


def checked(row: Row, serializer: type[BaseSerializer[Any]]) -> dict[str, Any]:
    """The row's values after validation. Raises Invalid by column."""
    read = serializer(data=row.values)
    if read.is_valid():
        return dict(read.validated_data)
    found: Mapping[str, Iterable[object]] = dict(read.errors)
    errors = {field: [str(text) for text in texts] for field, texts in found.items()}
    raise Invalid("The row cannot be read.", errors=errors)


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a CSV file; None is an empty cell."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(columns)
    yield _taken(buffer)
    for row in rows:
        writer.writerow([_harmless(row[name]) for name in columns])
        yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _harmless(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip("'").startswith(_FORMULA):
        return "'" + value
    return value


def _plain(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell.strip()


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid("The table is not UTF-8.", code="not_a_table") from None


def _check_columns(names: list[str], columns: Sequence[str]) -> None:
    if unknown := [name for name in names if name not in columns]:
        raise Invalid(
            f"There is no column {unknown[0]!r} here; there are {', '.join(columns)}.", code="not_a_table"
        )
    if len(set(names)) < len(names):
        raise Invalid("A column is there twice.", code="not_a_table")


def _bounded(rows: Iterable[Row]) -> list[Row]:
    found = list(rows)
    if len(found) > MOST_ROWS:
        raise Invalid(f"A table has at most {MOST_ROWS} rows.", code="not_a_table")
    return found
