"""Cache-Control and its relatives as they come from strangers' code."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faasioflex.invoker.cache.directives import LONGEST_S, cache_control, date_of, opaque, tags_of


def read(*values: bytes) -> dict[str, str]:
    return cache_control([(b"Cache-Control", value) for value in values]).values


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((b"max-age=60",), {"max-age": "60"}),
        ((b"Max-Age = 60 , NO-CACHE",), {"max-age": "60", "no-cache": ""}),
        ((b'private="set-cookie, x-b", max-age="5"',), {"private": "set-cookie, x-b", "max-age": "5"}),
        ((b"public", b"s-maxage=1"), {"public": "", "s-maxage": "1"}),
        ((b",, ,max-age=1,,",), {"max-age": "1"}),
        ((b"max-age=60, max-age=5",), {"max-age": "5"}),
        ((b"max-age=60, max-age=none",), {"max-age": ""}),
        ((b"no-cache; no-store;max-age=5",), {"no-cache": "", "no-store": "", "max-age": "5"}),
        ((b'"quoted"; no-store',), {"no-store": ""}),
        ((b"no store, max-age=7",), {"max-age": "7"}),
        ((b'x="unclosed, max-age=7',), {"max-age": "7"}),
        ((b"",), {}),
    ],
)
def test_directives(values: tuple[bytes, ...], found: dict[str, str]) -> None:
    assert read(*values) == found


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(b"60", 60), (b"-1", 0), (b"1.5", 0), (b"soon", 0), (b"", 0), (b"9" * 20, LONGEST_S), (b"9" * 30, 0)],
)
def test_what_is_no_number_of_seconds_is_stale_at_once(text: bytes, seconds: float) -> None:
    assert cache_control([(b"cache-control", b"max-age=" + text)]).seconds("max-age") == seconds


def test_what_is_not_said_is_none() -> None:
    assert cache_control([(b"Pragma", b"max-age=5")]).seconds("max-age") is None


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=60), max_size=3))
def test_nothing_raises_and_names_are_tokens(values: list[bytes]) -> None:
    for name in read(*values):
        assert name == name.lower()
        assert not set(name) & set(' \t,;="')


TOKENS = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)
ARGUMENTS = st.none() | st.integers(0, 10**9).map(str) | st.text("abc, =;", max_size=8)


@settings(max_examples=100)
@given(st.dictionaries(TOKENS, ARGUMENTS, max_size=6))
def test_what_was_written_is_read_again(wanted: dict[str, str | None]) -> None:
    text = ", ".join(
        name if argument is None else f'{name}="{argument}"' if not argument.isdigit() else f"{name}={argument}"
        for name, argument in wanted.items()
    )
    assert read(text.encode()) == {name: argument or "" for name, argument in wanted.items()}


@settings(max_examples=100)
@given(st.binary(max_size=40))
def test_no_date_and_no_tag_raises(value: bytes) -> None:
    date_of(value)
    for tag in tags_of(value):
        assert tag in value


def test_dates_and_tags() -> None:
    assert date_of(b"Sun, 06 Nov 1994 08:49:37 GMT") == 784111777
    assert date_of(b"0") is None
    assert tags_of(b'W/"a", "b,c" ,"d"') == [b'W/"a"', b'"b,c"', b'"d"']
    assert opaque(b'W/"a"') == b'"a"'
