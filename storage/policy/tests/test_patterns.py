"""Wildcards and variables: by example, and against a matcher that is slow and obvious."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.policy import patterns
from storage.policy.patterns import no_values

_TEXT = st.text(alphabet="ab/*?$\n", max_size=12)


def obviously(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(obviously(pattern[1:], text[i:]) for i in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and obviously(pattern[1:], text[1:])


@settings(derandomize=True, max_examples=500, deadline=None)
@given(_TEXT, _TEXT)
def test_matches_as_the_obvious_matcher(pattern: str, text: str) -> None:
    found = patterns.glob(pattern)
    assert found.matches(text, no_values) == obviously(pattern, text)
    assert found.may_match(text) == obviously(pattern, text)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(_TEXT, _TEXT, _TEXT)
def test_what_matches_below_a_prefix_may_match_below_it(pattern: str, prefix: str, rest: str) -> None:
    if obviously(pattern, prefix + rest):
        assert patterns.glob(pattern).may_match_below(prefix)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(_TEXT, _TEXT)
def test_a_variable_is_literal_whatever_it_holds(name: str, text: str) -> None:
    found = patterns.read("home/${aws:username}/*")

    def values(key: str) -> list[str]:
        return [name]

    assert found.matches(f"home/{text}/x", values) == f"home/{text}/x".startswith(f"home/{name}/")


def test_a_pattern_of_many_stars_is_not_slow() -> None:
    found = patterns.glob("*a" * 200 + "b")
    began = time.process_time()
    assert not found.matches("a" * 1024, no_values)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("text", ["${", "${aws:username", "${}", "${a b}", "${aws:username, none}"])
def test_a_variable_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="policy variable"):
        patterns.read(text)


def test_escapes_and_defaults() -> None:
    assert patterns.read("a${*}b${?}c${$}").matches("a*b?c$", no_values)
    assert not patterns.read("a${*}b").matches("axb", no_values)
    assert patterns.read("${aws:username, 'nobody'}").matches("nobody", no_values)
    assert not patterns.read("${aws:username}").matches("", no_values)
    assert patterns.read("${aws:username}", variables=False).matches("${aws:username}", no_values)


@settings(derandomize=True, max_examples=500, deadline=None)
@given(_TEXT, _TEXT)
def test_a_variable_is_matched_as_the_rest(pattern: str, text: str) -> None:
    found = patterns.read("${a:b}" + pattern.replace("$", ""))
    for given_value in ("", "a", "ab"):
        wanted = given_value + pattern.replace("$", "")
        values = {"a:b": (given_value,)}
        assert found.matches(text, values.__getitem__) == obviously(wanted, text)


def test_long_values_of_variables_are_no_expressions() -> None:
    found = patterns.read("docs/" + "${aws:UserAgent}" * 1000 + "*x")
    assert not found.matches("docs/" + "a" * 1000, lambda key: ("b" * 8000,))
    assert patterns.read("*${aws:UserAgent}?x*").matches("a" + "b" * 2000 + "cx", lambda key: ("b" * 2000,))
