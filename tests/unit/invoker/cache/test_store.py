"""What is kept: bounded by bytes, least recently used goes first, and everything of a function goes at once."""

from __future__ import annotations

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from faasioflex.invoker.cache.question import Question, digest
from faasioflex.invoker.cache.rules import wish
from faasioflex.invoker.cache.store import OVERHEAD_BYTES, Entry, Store
from faasioflex.invoker.http1.head import Headers, parse_response
from faasioflex.model.function import CachePolicy
from faasioflex.model.names import FunctionName

HELLO, OTHER = FunctionName("acme", "hello"), FunctionName("acme", "other")
REGIME = ("uid", "public", CachePolicy(0.0))


def ask(name: str, fields: Headers | None = None, function: FunctionName = HELLO) -> Question:
    primary, uri = digest([str(function).encode(), name.encode()]), digest([name.encode()])
    return Question(function, REGIME, 1, primary, uri, True, False, wish([]), 60.0, fields or [])


def entry(asked: Question, size: int = 0, vary: tuple[bytes, ...] = (), revision: int = 1) -> Entry:
    return Entry(
        function=asked.function,
        regime=asked.regime,
        revision=revision,
        primary=asked.primary,
        uri=asked.uri,
        status=200,
        reason=b"OK",
        headers=[],
        body=b"x" * size,
        stored_at=0.0,
        age_s=0.0,
        lifetime_s=60.0,
        stale_s=0.0,
        vary=vary,
    )


def keep(store: Store, asked: Question, **how: int) -> Entry:
    made = entry(asked, **how)
    assert store.put(made, asked.fields)
    return made


def test_the_least_recently_used_goes_first() -> None:
    store = Store(3 * OVERHEAD_BYTES)
    for name in "abc":
        keep(store, ask(name))
    assert store.get(ask("a")) is not None
    keep(store, ask("d"))
    assert [name for name in "abcd" if store.get(ask(name))] == ["a", "c", "d"]
    assert store.evicted == 1


def test_what_does_not_fit_is_not_kept_and_what_is_reserved_counts() -> None:
    store = Store(2 * OVERHEAD_BYTES)
    assert not store.put(entry(ask("a"), 2 * OVERHEAD_BYTES), [])
    keep(store, ask("b"))
    assert store.reserve(2 * OVERHEAD_BYTES)
    assert store.get(ask("b")) is None
    assert not store.reserve(1)
    assert not store.put(entry(ask("c")), [])
    store.free(2 * OVERHEAD_BYTES)
    keep(store, ask("c"))


def test_variants_stand_beside_each_other_until_they_vary_by_something_else() -> None:
    store = Store(1 << 20)
    english, spanish = (ask("a", [(b"accept-language", tongue)]) for tongue in (b"en", b"es"))
    first = entry(english, vary=(b"accept-language",))
    store.put(first, english.fields)
    assert store.get(english) is first
    assert store.get(spanish) is None
    assert store.knows(spanish)
    second = entry(spanish, vary=(b"accept-language",))
    store.put(second, spanish.fields)
    assert store.get(english) is first
    plain = entry(english)
    store.put(plain, english.fields)
    assert store.get(english) is plain
    assert store.get(spanish) is plain
    assert len(store) == 1


def test_a_function_goes_whole_or_but_for_what_serves() -> None:
    store = Store(1 << 20)
    keep(store, ask("a"))
    keep(store, ask("b"), revision=2)
    keep(store, ask("a", function=OTHER))
    assert store.drop(HELLO, lambda each: each.revision == 2) == 1
    assert store.get(ask("a")) is None
    assert store.get(ask("b")) is not None
    assert store.drop(HELLO) == 1
    assert store.get(ask("a", function=OTHER)) is not None


def test_what_answers_about_a_changed_thing_goes_whoever_was_given_it() -> None:
    store = Store(1 << 20)
    keep(store, ask("a"))
    keep(store, ask("b"))
    store.drop_about(HELLO, ask("a").uri)
    assert store.get(ask("a")) is None
    assert store.get(ask("b")) is not None


def test_what_is_counted_is_what_it_takes() -> None:
    """Else many small answers would take several times the bound."""
    store, count = Store(1 << 30), 3000
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(count):
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-number: %d\r\nx-a: 1\r\n\r\n" % number
        made = entry(ask(f"{number}"), 10)
        made.headers = parse_response(head).headers
        store.put(made, [])
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.8 < store.used_bytes / (after - before) < 1.6


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 3000), st.sampled_from(["put", "get", "drop", "about"]))
    )
)
def test_the_bound_holds_and_nothing_is_left_behind(steps: list[tuple[str, int, str]]) -> None:
    store = Store(9000)
    for name, size, act in steps:
        if act == "put":
            store.put(entry(ask(name), size), [])
        elif act == "get":
            store.get(ask(name))
        elif act == "about":
            store.drop_about(HELLO, ask(name).uri)
        else:
            store.drop(HELLO)
        assert 0 <= store.used_bytes <= 9000
        assert store.used_bytes == sum(found.size for each in "abcdefgh" if (found := store.get(ask(each))) is not None)
    store.drop(HELLO)
    assert (store.used_bytes, len(store)) == (0, 0)
    assert not store._variants
    assert not store._of
    assert not store._about
