"""Which messages are known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from faasioflex.invoker.queue.seen import Seen


@given(st.permutations(range(1, 30)), st.integers(0, 40))
def test_everything_up_to_the_first_gap_is_known(order: list[int], reached: int) -> None:
    seen, noted = Seen(), set[int]()
    for sequence in order[:20]:
        seen.note(sequence)
        noted.add(sequence)
        first_gap = next(each for each in range(1, 31) if each not in noted)
        assert seen.up_to == first_gap - 1
        assert all((each in seen) == (each in noted) for each in range(1, 31))
    seen.reached(reached)
    assert all((each in seen) == (each in noted or each <= reached) for each in range(1, 41))
    assert seen.up_to >= reached
    assert seen.up_to + 1 not in seen


def test_nothing_is_kept_of_what_lies_behind() -> None:
    seen = Seen()
    for sequence in range(2, 1000):
        seen.note(sequence)
    seen.note(1)
    assert (seen.up_to, seen._beyond) == (999, set())
