"""Lifecycle rules as they act: what they are about, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage import lifecycle
from storage.s3.documents import lifecycle as document

THEN = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


def rule(**fields: Any) -> lifecycle.Rule:
    given = {"ID": "one", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 3}, **fields}
    [found] = lifecycle.rules_of(document.check([given]))
    return found


@pytest.mark.parametrize(
    ("since", "days", "due"),
    [
        (THEN, 3, datetime(2026, 1, 19, tzinfo=UTC)),  # the user guide's own example
        (THEN, 1, datetime(2026, 1, 17, tzinfo=UTC)),
        (datetime(2026, 1, 15, tzinfo=UTC), 1, datetime(2026, 1, 16, tzinfo=UTC)),
        (datetime(2026, 1, 15, 23, 59, 59, tzinfo=UTC), 1, datetime(2026, 1, 17, tzinfo=UTC)),
    ],
)
def test_days_end_at_midnight(since: datetime, days: int, due: datetime) -> None:
    assert lifecycle.falls_due(since, days) == due
    second = timedelta(seconds=1)
    assert since <= lifecycle.cutoff(due, days)
    assert since > lifecycle.cutoff(due - second, days)


def test_short_days_have_no_midnight() -> None:
    assert lifecycle.falls_due(THEN, 3, 10) == THEN + timedelta(seconds=30)
    assert lifecycle.cutoff(THEN, 3, 10) == THEN - timedelta(seconds=30)


@pytest.mark.parametrize(
    ("days", "day_seconds"),
    [(3_000_000, lifecycle.DAY_SECONDS), (2**31 - 1, lifecycle.DAY_SECONDS), (2**31 - 1, 10_000)],
)
def test_more_days_than_there_are_never_end(days: int, day_seconds: int) -> None:
    assert lifecycle.falls_due(THEN, days, day_seconds) == datetime(9999, 12, 31, tzinfo=UTC)
    assert lifecycle.cutoff(THEN, days, day_seconds) < datetime(1900, 1, 1, tzinfo=UTC)
    header = lifecycle.expiration_header([rule(Expiration={"Days": days})], "k", 1, {}, THEN)
    assert header == 'expiry-date="Fri, 31 Dec 9999 00:00:00 GMT", rule-id="one"'


def test_an_unfinished_upload_ends_by_the_earliest_rule_of_its_prefix() -> None:
    def ends(days: int, **fields: Any) -> lifecycle.Rule:
        abort = {"DaysAfterInitiation": days}
        return rule(AbortIncompleteMultipartUpload=abort, **fields)

    rules = [rule(), ends(9), ends(3, ID="a b", Filter={"Prefix": "logs/"}), ends(1, Filter={"Prefix": "z"})]
    assert lifecycle.abort_of(rules, "logs/k", THEN) == ("Mon, 19 Jan 2026 00:00:00 GMT", "a%20b")
    assert lifecycle.abort_of(rules, "k", THEN) == ("Sun, 25 Jan 2026 00:00:00 GMT", "one")
    assert lifecycle.abort_of([rule()], "k", THEN) is None


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({}, True),
        ({"Filter": {"Prefix": "logs/"}}, True),
        ({"Filter": {"Prefix": "data/"}}, False),
        ({"Filter": {"Tag": {"Key": "a", "Value": "1"}}}, True),
        ({"Filter": {"Tag": {"Key": "a", "Value": "2"}}}, False),
        ({"Filter": {"ObjectSizeGreaterThan": 99}}, True),
        ({"Filter": {"ObjectSizeGreaterThan": 100}}, False),
        ({"Filter": {"ObjectSizeLessThan": 101}}, True),
        ({"Filter": {"ObjectSizeLessThan": 100}}, False),
        ({"Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "b", "Value": "2"}]}}}, True),
        ({"Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "c", "Value": "2"}]}}}, False),
    ],
)
def test_what_a_rule_is_about(fields: dict[str, Any], fits: bool) -> None:
    assert rule(**fields).fits("logs/today", 100, {"a": "1", "b": "2"}) is fits


def test_a_rule_of_the_first_version_has_a_prefix_of_its_own() -> None:
    given = {"ID": "old", "Status": "Enabled", "Prefix": "logs/", "Expiration": {"Days": 1}}
    [found] = lifecycle.rules_of(document.check([given]))
    assert found.fits("logs/x", 1, {}) and not found.fits("data/x", 1, {})


def test_disabled_rules_do_nothing() -> None:
    given = {"ID": "off", "Status": "Disabled", "Filter": {}, "Expiration": {"Days": 1}}
    assert lifecycle.rules_of(document.check([given])) == []


def test_the_header_names_the_earliest_rule() -> None:
    late, early = rule(ID="late"), rule(ID="early one", Expiration={"Days": 1})
    other = rule(ID="other", Filter={"Prefix": "z"}, Expiration={"Date": "2026-01-01T00:00:00Z"})
    header = lifecycle.expiration_header([late, early, other], "k", 1, {}, THEN)
    assert header == 'expiry-date="Sat, 17 Jan 2026 00:00:00 GMT", rule-id="early%20one"'
    assert lifecycle.expiration_header([other], "k", 1, {}, THEN) is None
    markers = rule(Expiration={"ExpiredObjectDeleteMarker": True})
    assert lifecycle.expiration_header([markers], "k", 1, {}, THEN) is None
