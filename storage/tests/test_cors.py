"""What rules of CORS allow, and what answers then say."""

from __future__ import annotations

from typing import Any

import pytest

from storage import cors


def rule(*origins: str, methods: tuple[str, ...] = ("GET",), **more: Any) -> dict[str, Any]:
    return {"AllowedMethods": list(methods), "AllowedOrigins": list(origins), **more}


RULES = [rule("*suffix"), rule("start*end"), rule("prefix*"), rule("*.put", methods=("PUT",))]


@pytest.mark.parametrize(
    ("origin", "method", "allowed"),
    [
        ("foo.suffix", "GET", True),
        ("foo.bar", "GET", False),
        ("foo.suffix.get", "GET", False),
        ("startend", "GET", True),
        ("start12end", "GET", True),
        ("0start12end", "GET", False),
        ("prefix", "GET", True),
        ("bla.prefix", "GET", False),
        ("foo.put", "GET", False),
        ("foo.put", "PUT", True),
    ],
)
def test_origins(origin: str, method: str, allowed: bool) -> None:
    asked = cors.preflight(RULES, origin, method, "")
    told = dict(cors.actual(RULES, {"origin": origin}, method))
    if allowed:
        assert asked is not None and dict(asked)["Access-Control-Allow-Origin"] == origin
        assert told["Access-Control-Allow-Origin"] == origin
        assert told["Access-Control-Allow-Methods"] == method
        assert told["Access-Control-Allow-Credentials"] == "true"
    else:
        assert asked is None
        assert told == {"Vary": cors.VARY}


def test_a_wildcard_does_not_overlap_itself() -> None:
    assert cors.preflight([rule("aba*ba")], "aba", "GET", "") is None


def test_everybody_is_told_a_star_and_no_credentials() -> None:
    told = dict(cors.actual([rule("*")], {"origin": "https://a"}, "GET"))
    assert told["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in told


def test_headers_are_matched_in_any_case() -> None:
    rules = [rule("*", AllowedHeaders=["X-Amz-*", "content-type"])]
    found = cors.preflight(rules, "https://a", "GET", "x-amz-date, Content-Type")
    assert found is not None and dict(found)["Access-Control-Allow-Headers"] == "x-amz-date, content-type"
    assert cors.preflight(rules, "https://a", "GET", "x-amz-date, authorization") is None
    assert cors.preflight([rule("*")], "https://a", "GET", "x-amz-date") is None


def test_the_first_rule_that_allows_all() -> None:
    rules = [
        rule("*", MaxAgeSeconds=1),
        rule("*", AllowedHeaders=["*"], MaxAgeSeconds=2, ExposeHeaders=["ETag", "Date"]),
    ]
    found = dict(cors.preflight(rules, "https://a", "GET", "range") or [])
    assert found["Access-Control-Max-Age"] == "2"
    assert found["Access-Control-Expose-Headers"] == "ETag, Date"
    assert dict(cors.preflight(rules, "https://a", "GET", "") or [])["Access-Control-Max-Age"] == "1"


def test_a_flood_of_headers_is_refused() -> None:
    assert (
        cors.preflight([rule("*", AllowedHeaders=["*"])], "https://a", "GET", ",".join(["a"] * 101)) is None
    )


def test_a_request_that_names_the_method_itself() -> None:
    headers = {"origin": "foo.suffix", "access-control-request-method": "GET"}
    assert dict(cors.actual(RULES, headers, "PUT"))["Access-Control-Allow-Methods"] == "GET"


def test_nothing_is_told_without_rules_and_little_without_an_origin() -> None:
    assert cors.actual([], {"origin": "https://a"}, "GET") == []
    assert cors.actual(RULES, {}, "GET") == [("Vary", cors.VARY)]
