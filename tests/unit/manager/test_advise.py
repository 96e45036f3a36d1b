"""Limits of a running instance: when they are raised, when lowered, and that it comes to rest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faasioflex.manager.vertical.advise import MIB, UNUSED_S, Allowed, Look, advise, after_out_of_memory, grows
from faasioflex.manager.vertical.history import History
from faasioflex.model.function import Limits

LIMITS = Limits(memory_bytes=100 * MIB, cpu=0.5, max_memory_bytes=400 * MIB, max_cpu=2.0)
START = Allowed(100 * MIB, 0.5)


def looks(*memory_mib: float, rate: float = 0.0, every_s: float = 1.0) -> list[Look]:
    return [Look(n * every_s, int(mib * MIB), n * every_s * rate) for n, mib in enumerate(memory_mib)]


LONG = [*[30.0] * 31]  # at one look in ten seconds: five minutes


@pytest.mark.parametrize(
    ("seen", "now", "memory_mib", "cpu"),
    [
        (looks(84, 84, 84, 84), START, 100, 0.5),  # below what is near
        (looks(50, 86, 86), START, 100, 0.5),  # near, but not for long
        (looks(86, 86, 86), START, 150, 0.5),  # near in three looks
        (looks(50, 96), START, 150, 0.5),  # very near: at once
        (looks(96), Allowed(350 * MIB, 0.5), 350, 0.5),  # not near any more
        (looks(340), Allowed(350 * MIB, 0.5), 400, 0.5),  # no more than the most
        (looks(399, 399, 399), Allowed(400 * MIB, 0.5), 400, 0.5),  # which it has
        (looks(10, 10, 10, 10, rate=0.5), START, 100, 0.75),  # at its quota
        (looks(10, 10, 10, rate=0.5), START, 100, 0.5),  # for two intervals only
        (looks(10, 10, 10, 10, rate=0.4), START, 100, 0.5),
        (looks(10, 10, 10, 10, rate=1.9), Allowed(100 * MIB, 1.9), 100, 2.0),
        (looks(90, 90, 90, 90, rate=0.5), START, 150, 0.75),  # both
        (looks(*LONG[:-1], every_s=10), Allowed(400 * MIB, 2.0), 400, 2.0),  # unused, but not for long enough
        (looks(*LONG, every_s=10), Allowed(400 * MIB, 2.0), 100, 0.5),  # long unused: as it was set
        (
            looks(*[120.0] * 31, rate=0.5, every_s=10),
            Allowed(400 * MIB, 2.0),
            180,
            0.75,
        ),  # with room above the most used
        (looks(*[250.0] * 31, rate=1.4, every_s=10), Allowed(400 * MIB, 2.0), 400, 2.0),  # not worth it
        (looks(*LONG[:-1], 240, every_s=10), Allowed(400 * MIB, 0.5), 400, 0.5),  # one peak counts
        (looks(*LONG, every_s=10), START, 100, 0.5),  # never below what was set
    ],
)
def test_what_it_should_have(seen: list[Look], now: Allowed, memory_mib: int, cpu: float) -> None:
    advice = advise(seen, now, LIMITS)
    wanted = Allowed(memory_mib * MIB, cpu)
    if wanted == now:
        assert advice is None
    else:
        assert advice is not None
        assert advice.allowed == wanted
        assert advice.why


def test_nothing_is_known_before_the_first_look() -> None:
    assert advise([], START, LIMITS) is None


def test_without_a_most_it_stays_as_it_is_set() -> None:
    limits = Limits(memory_bytes=100 * MIB)
    assert not grows(limits)
    assert advise(looks(99, 99, 99, 99, rate=0.5), Allowed(100 * MIB, 0.5), limits) is None
    assert after_out_of_memory(100 * MIB, limits) is None


def test_an_end_for_want_of_memory_doubles_it_up_to_the_most() -> None:
    assert after_out_of_memory(100 * MIB, LIMITS) == 200 * MIB
    assert after_out_of_memory(300 * MIB, LIMITS) == 400 * MIB
    assert after_out_of_memory(400 * MIB, LIMITS) is None


@given(
    used=st.lists(st.tuples(st.floats(0, 600), st.floats(0, 3)), min_size=1, max_size=60),
    every_s=st.sampled_from([1.0, 10.0]),
)
@settings(max_examples=60, deadline=None)
def test_never_outside_its_bounds_nor_below_use_and_the_same_use_comes_to_rest(
    used: list[tuple[float, float]], every_s: float
) -> None:
    history, allowed, at, cpu_s = History(), START, 0.0, 0.0
    changes_at_the_end = 0
    for turn, (mib, rate) in enumerate([*used, *[used[-1]] * 80]):
        at, cpu_s = at + every_s, cpu_s + rate * every_s
        history.add(Look(at, int(mib * MIB), cpu_s))
        advice = advise(history.looks, allowed, LIMITS)
        if advice is None:
            continue
        new = advice.allowed
        assert LIMITS.memory_bytes <= new.memory_bytes <= 400 * MIB
        assert LIMITS.cpu <= new.cpu <= 2.0
        if new.memory_bytes < allowed.memory_bytes:
            assert new.memory_bytes >= int(mib * MIB)
        changes_at_the_end += turn >= len(used)
        allowed = new
    assert changes_at_the_end <= 10
    assert advise(history.looks, allowed, LIMITS) is None


def test_the_history_is_bounded_and_keeps_peaks() -> None:
    history = History()
    for second in range(2000):
        history.add(Look(float(second), 300 * MIB if second == 1750 else 50 * MIB, second * 0.1))
    seen = history.looks
    assert len(seen) < 60
    assert max(look.memory_bytes for look in seen) == 300 * MIB
    assert seen[-1].at - seen[0].at >= UNUSED_S
    assert [look.at for look in seen] == sorted(look.at for look in seen)
