"""Which answers are kept, for how long: the table of RFC 9111 under a policy of 100 s."""

from __future__ import annotations

import pytest

from faasioflex.invoker.cache.rules import Terms, age_of, terms, wish
from faasioflex.invoker.http1.framing import ByConnection, ByLength
from faasioflex.invoker.http1.head import Headers, ResponseHead

NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT


def agreed(status: int = 200, *fields: tuple[str, str], shared: bool = True) -> Terms | None:
    headers: Headers = [(name.encode(), value.encode()) for name, value in fields]
    return terms(ResponseHead(status, b"", headers, 1), ByLength(1), ttl_s=100.0, shared=shared, now=NOW)


def said(value: str) -> tuple[str, str]:
    return "Cache-Control", value


@pytest.mark.parametrize("status", [200, 203, 204, 300, 301, 308, 404, 410])
def test_kept_without_a_word(status: int) -> None:
    assert agreed(status) == Terms(100.0, 0.0, ())


@pytest.mark.parametrize("status", [201, 206, 302, 307, 304, 400, 401, 403, 405, 429, 500, 501, 502, 503])
def test_not_kept_without_a_word(status: int) -> None:
    assert agreed(status) is None


def test_a_redirect_of_the_moment_is_kept_where_it_says_for_how_long() -> None:
    assert agreed(302, said("max-age=5")) == Terms(5.0, 0.0, ())
    assert agreed(500, said("max-age=5")) is None


@pytest.mark.parametrize(
    "fields",
    [
        [said("no-store")],
        [said("max-age=60, No-Store")],
        [said("private")],
        [said('private="x-name"')],
        [("Set-Cookie", "a=1")],
        [("Vary", "*")],
        [("Vary", "accept, *")],
        [("Vary", ", ".join(f"x-{number}" for number in range(33)))],
        [("Content-Range", "bytes 0-1/5")],
        [("Content-Type", "text/event-stream; charset=utf-8")],
        [said("max-age=0")],
        [said("max-age=x")],
        [said("no-cache")],
        [("Expires", "0")],
        [("Expires", "Sun, 06 Nov 1994 08:49:30 GMT")],
    ],
)
def test_never_kept_for_everybody(fields: list[tuple[str, str]]) -> None:
    assert agreed(200, *fields) is None


def test_an_answer_without_an_end_of_its_own_may_be_cut_and_is_not_kept() -> None:
    assert terms(ResponseHead(200, b"", [], 1), ByConnection(), ttl_s=1.0, shared=True, now=NOW) is None


@pytest.mark.parametrize(
    ("value", "shared", "lifetime_s"),
    [
        ("max-age=60", True, 60.0),
        ("max-age=600", True, 100.0),
        ("max-age=60, s-maxage=5", True, 5.0),
        ("max-age=60, s-maxage=5", False, 60.0),
        ("private, max-age=60", False, 60.0),
        ("public", True, 100.0),
    ],
)
def test_lifetimes(value: str, shared: bool, lifetime_s: float) -> None:
    assert agreed(200, said(value), shared=shared) == Terms(lifetime_s, 0.0, ())


def test_expires_counts_from_the_answers_own_date() -> None:
    date, expires = ("Date", "Sun, 06 Nov 1994 08:49:00 GMT"), ("Expires", "Sun, 06 Nov 1994 08:49:30 GMT")
    assert agreed(200, date, expires) == Terms(30.0, 0.0, ())
    assert agreed(200, date, expires, said("max-age=7")) == Terms(7.0, 0.0, ())


def test_what_is_stale_at_once_is_kept_where_the_function_can_be_asked_again() -> None:
    assert agreed(200, said("no-cache"), ("ETag", '"a"')) == Terms(0.0, 0.0, ())
    assert agreed(200, said("max-age=0"), ("Last-Modified", "Sun, 06 Nov 1994 08:49:30 GMT")) == Terms(0.0, 0.0, ())


def test_stale_while_revalidate_unless_that_is_ruled_out() -> None:
    assert agreed(200, said("max-age=5, stale-while-revalidate=9")) == Terms(5.0, 9.0, ())
    for more in ("must-revalidate", "proxy-revalidate", "s-maxage=5"):
        assert agreed(200, said(f"max-age=5, stale-while-revalidate=9, {more}")) == Terms(5.0, 0.0, ())


def test_vary_and_what_was_forgotten_in_it() -> None:
    assert agreed(200, ("Vary", "Accept, X-A"), ("Vary", "accept")) == Terms(100.0, 0.0, (b"accept", b"x-a"))
    assert agreed(200, ("Content-Encoding", "gzip")) == Terms(100.0, 0.0, (b"accept-encoding",))


@pytest.mark.parametrize(
    ("value", "age_s"), [("7", 7), ("7, 9", 7), ("x", 0), ("-1", 0), ("", 0), ("9" * 30, 9_999_999_999)]
)
def test_the_age_that_an_answer_comes_with(value: str, age_s: float) -> None:
    assert age_of(ResponseHead(200, b"", [(b"Age", value.encode())], 1)) == age_s


@pytest.mark.parametrize(
    ("value", "store", "kept", "only"),
    [
        ("", True, True, False),
        ("no-store", False, True, False),
        ("no-cache", True, False, False),
        ("only-if-cached", True, True, True),
    ],
)
def test_what_a_request_wants(value: str, store: bool, kept: bool, only: bool) -> None:
    found = wish([(b"cache-control", value.encode())])
    assert (found.store, found.kept, found.only_kept) == (store, kept, only)


def test_bounds_of_a_request_and_pragma() -> None:
    found = wish([(b"Cache-Control", b"max-age=5, min-fresh=2")])
    assert (found.max_age_s, found.min_fresh_s) == (5, 2)
    assert not wish([(b"Pragma", b"no-cache")]).kept
    assert wish([(b"Pragma", b"no-cache"), (b"Cache-Control", b"max-age=5")]).kept
