"""Tables in and out: what is written is read again, and a spreadsheet runs none of it."""

from __future__ import annotations

import pytest
from rest_framework import serializers

from gateway import tables
from gateway.errors import Conflict, Invalid

COLUMNS = ("name", "size")


@pytest.mark.parametrize(
    "value",
    ["plain", "=1+1", "+1", "-1", "@sum", "\t=1", "'=1", "''=1", "'quoted'", 'a "b", c', "a\nb", "＝1"],
)
def test_a_text_comes_back_and_never_begins_like_a_formula(value: str) -> None:
    text = "".join(tables.csv_text(COLUMNS, [{"name": value, "size": None}]))
    cell = text.split("\r\n", 1)[1].lstrip('"')
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝"))
    assert tables.read_csv(text, COLUMNS) == [tables.Row(2, {"name": value})]


def test_numbers_are_numbers() -> None:
    assert list(tables.csv_text(COLUMNS, [{"name": "a", "size": -3}]))[1] == "a,-3\r\n"


def test_what_spreadsheets_save_is_read() -> None:
    saved = "\ufeffsize;name\r\n1;a\r\n\r\n2;b\r\n".encode()
    rows = tables.read_csv(saved, COLUMNS)
    assert rows == [tables.Row(2, {"size": "1", "name": "a"}), tables.Row(4, {"size": "2", "name": "b"})]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        ("name,other\na,b\n", "no column 'other'"),
        ("name,name\na,b\n", "twice"),
        ("name\na,b\n", "Row 2 has more cells"),
        (b"name\n\xff\n", "not UTF-8"),
        ("name\n" + "a\n" * (tables.MOST_ROWS + 1), "at most"),
        ('name\n"' + "a" * 200_000 + '"\n', "not CSV"),
    ],
)
def test_what_is_no_table(content: bytes | str, says: str) -> None:
    with pytest.raises(Invalid, match=says) as refused:
        tables.read_csv(content, COLUMNS)
    assert refused.value.code == "not_a_table"


@pytest.mark.parametrize("content", [{}, "a", [1], [{"other": 1}], None])
def test_what_is_no_json_table(content: object) -> None:
    with pytest.raises(Invalid):
        tables.read_json(content, COLUMNS)


class _Sizes(serializers.Serializer[object]):
    name = serializers.CharField()
    size = serializers.IntegerField(required=False)


def test_all_that_is_wrong_is_told_by_row_and_column() -> None:
    refusals, good = tables.Refusals(), []
    for row in tables.read_csv("name,size\na,1\nb,many\n,2\nc,3\n", COLUMNS):
        try:
            good.append((row.number, tables.checked(row, _Sizes)))
        except Invalid as error:
            refusals.add(row, error)
    assert good == [(2, {"name": "a", "size": 1}), (5, {"name": "c", "size": 3})]
    refusals.add(tables.Row(5, {}), Conflict("There is one already.", errors={"name": ["Taken."]}))
    with pytest.raises(Invalid) as refused:
        refusals.check()
    assert refused.value.code == "rows_refused"
    assert refused.value.errors == {
        "3.size": ["A valid integer is required."],
        "4.name": ["This field is required."],
        "5.name": ["Taken."],
    }
    assert "3 rows" in refused.value.detail
