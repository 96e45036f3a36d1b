"""Who gets memory that is scarce, and who gives some."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from faasioflex.manager.capacity.desk import NodeDesk
from faasioflex.manager.capacity.fair import Holding, Taken, Wanting, reserved_bytes, take
from faasioflex.manager.capacity.ledger import Ledger

SIZE = 100


def holding(key: str, instances: int, *, idle_s: float | None = None, weight: float = 1.0, least: int = 0) -> Holding:
    may_give = max(0, instances - (least if idle_s is not None else max(1, least)))
    return Holding(key, 1, weight, instances * SIZE, SIZE, idle_s, may_give)


def wanting(key: str = "a.new", *, instances: int = 0, weight: float = 1.0, since: float = 0.0) -> Wanting:
    return Wanting(key, 2, weight, instances * SIZE, SIZE, since)


def test_the_longest_idle_goes_first() -> None:
    found = take(wanting(), SIZE, [holding("a.x", 1, idle_s=5), holding("a.y", 1, idle_s=50), holding("a.z", 9)])
    assert found == [Taken("a.y", 1, idle=True)]


def test_who_has_as_little_as_the_one_that_waits_keeps_it() -> None:
    assert take(wanting(instances=1), SIZE, [holding("a.x", 1, idle_s=50)]) == []


def test_who_has_calls_gives_what_leaves_it_no_worse_off_and_never_its_last() -> None:
    assert take(wanting(), SIZE, [holding("a.x", 2)]) == [Taken("a.x", 1, idle=False)]
    assert take(wanting(), SIZE, [holding("a.x", 1)]) == []
    assert take(wanting(instances=1), SIZE, [holding("a.x", 2)]) == []
    assert take(wanting(instances=1), SIZE, [holding("a.x", 3)]) == [Taken("a.x", 1, idle=False)]


def test_a_new_revision_takes_from_the_old_one_where_nobody_else_has_to_give() -> None:
    new = wanting("a.f")
    assert take(new, SIZE, [holding("a.f", 1, idle_s=9), holding("a.x", 1, idle_s=3)]) == [Taken("a.x", 1, idle=True)]
    assert take(new, SIZE, [holding("a.f", 1, idle_s=9), holding("a.x", 1)]) == [Taken("a.f", 1, idle=True)]
    assert take(new, SIZE, [holding("a.f", 1)]) == []
    assert take(replace(new, revision=1), SIZE, [holding("a.f", 1, idle_s=9)]) == [], "not from itself"


def test_minimums_stay() -> None:
    assert take(wanting(), SIZE, [holding("a.x", 2, idle_s=99, least=2), holding("a.y", 3, least=3)]) == []


def test_a_heavier_namespace_may_have_more() -> None:
    heavy = holding("shop.x", 3, weight=3.0)
    assert take(wanting(instances=1), SIZE, [heavy]) == []
    assert take(wanting("shop.new", instances=2, weight=3.0), SIZE, [holding("a.x", 2)]) == [
        Taken("a.x", 1, idle=False)
    ]


def test_several_are_taken_for_a_large_one_or_none_where_that_is_not_enough() -> None:
    large = replace(wanting(), need_bytes=3 * SIZE)
    assert len(take(large, 3 * SIZE, [holding("a.x", 9), holding("a.y", 1, idle_s=3)])) == 3
    assert take(large, 3 * SIZE, [holding("a.x", 2), holding("a.y", 1, idle_s=3)]) == []


def test_who_waits_with_less_is_reserved_for() -> None:
    others = [wanting("a.less", instances=0), wanting("a.more", instances=5), wanting("a.same", instances=1, since=9)]
    assert reserved_bytes(others, wanting("a.me", instances=1, since=3)) == SIZE
    assert reserved_bytes(others, wanting("a.me", instances=1, since=10)) == 2 * SIZE


@given(
    held=st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.sampled_from([0.5, 1.0, 3.0])), max_size=8),
    mine=st.integers(0, 5),
    need=st.integers(1, 4),
)
@settings(max_examples=80, deadline=None)
def test_nobody_is_left_worse_off_than_who_it_is_taken_for(
    held: list[tuple[int, bool, float]], mine: int, need: int
) -> None:
    holdings = {
        f"n{n}.f": holding(f"n{n}.f", count, idle_s=9.0 if idle else None, weight=weight)
        for n, (count, idle, weight) in enumerate(held)
    }
    asks = replace(wanting("me.f", instances=mine), need_bytes=need * SIZE)
    taken = take(asks, need * SIZE, list(holdings.values()))
    assert len(taken) in (0, need)
    for key, one in holdings.items():
        gone = sum(each.key == key for each in taken)
        left = one.live_bytes - gone * SIZE
        assert gone <= one.may_give
        if gone and one.idle_s is None:
            assert left / one.weight >= (asks.live_bytes + asks.need_bytes) / asks.weight
        if gone:
            assert (left + SIZE) / one.weight > asks.live_bytes / asks.weight


@given(
    demands=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    weights=st.lists(st.sampled_from([1.0, 2.0]), min_size=6, max_size=6),
    places=st.integers(1, 20),
)
@settings(max_examples=60, deadline=None)
def test_step_by_step_everybody_comes_to_a_fair_share(demands: list[int], weights: list[float], places: int) -> None:
    """A node that one function has filled: when all are busy, nobody who wants more has an instance less than who has most."""
    names = [f"n{n}.f" for n in range(len(demands))]
    has = dict.fromkeys(names, 0)
    has[names[0]] = min(places, demands[0])
    weight = dict(zip(names, weights, strict=False))
    wants = dict(zip(names, demands, strict=True))
    for _ in range(400):
        waiting = [
            Wanting(n, 2, weight[n], has[n] * SIZE, SIZE, float(place))
            for place, n in enumerate(names)
            if has[n] < wants[n]
        ]
        moved = False
        for one in sorted(waiting, key=lambda each: each.rank):
            if sum(has.values()) < places:
                has[one.key] += 1
                moved = True
                break
            there = [holding(n, has[n], weight=weight[n]) for n in names if has[n]]
            given_up = take(one, SIZE, there)
            if given_up:
                has[given_up[0].key] -= 1
                has[one.key] += 1
                moved = True
                break
        if not moved:
            break
    else:
        raise AssertionError("it never comes to rest")
    for poor in names:
        for rich in names:
            if has[poor] < wants[poor] and has[rich] > 1:
                assert (has[rich] - 1) / weight[rich] < (has[poor] + 1) / weight[poor]


# --- the desk


class Desk:
    def __init__(self, budget: int | None, weights: dict[str, float] | None = None) -> None:
        self.now = 0.0
        self.ledger = Ledger()
        self.node = NodeDesk(self.ledger, budget, weights or {}, lambda: self.now)

    def fits(self, key: str, size: int = SIZE) -> bool:
        room = self.node.room(key)
        return room is None or room.why_not(size) is None


def test_without_a_budget_there_is_no_bound() -> None:
    assert Desk(None).node.room("a.x") is None


def test_what_is_taken_is_not_free_until_it_is_gone() -> None:
    desk = Desk(2 * SIZE)
    desk.ledger.take("i1", "a.x", SIZE)
    assert desk.fits("a.y")
    desk.ledger.resize("i1", 2 * SIZE)
    assert not desk.fits("a.y")
    desk.ledger.leave("i1")
    assert not desk.fits("a.y")
    assert desk.ledger.leaving_bytes == 2 * SIZE
    desk.ledger.release("i1")
    assert desk.fits("a.y")
    assert not desk.ledger.functions
    assert not desk.ledger.namespaces


def test_the_next_place_is_that_of_who_has_least_by_weight() -> None:
    desk = Desk(4 * SIZE, {"shop": 2.0})
    for n, key in enumerate(["a.x", "a.x", "shop.x", "shop.x"]):
        desk.ledger.take(f"i{n}", key, SIZE)
    for key in ("a.x", "shop.x", "a.new"):
        assert desk.node.wait(key, 1, SIZE)
        desk.now += 1
    assert desk.node.next_ones() == ["a.new", "shop.x", "a.x"]
    desk.ledger.release("i0")
    assert [key for key in ("a.x", "shop.x", "a.new") if desk.fits(key)] == ["a.new"]
    desk.node.no_longer("a.new")
    assert [key for key in ("shop.x", "a.x") if desk.fits(key)] == [
        "a.x"
    ]  # as little by weight, and it has waited longer


def test_it_is_told_once_a_minute() -> None:
    desk = Desk(SIZE)
    assert desk.node.wait("a.x", 1, SIZE)
    desk.now += 59
    assert not desk.node.wait("a.x", 1, SIZE)
    desk.now += 2
    assert desk.node.wait("a.x", 1, SIZE)


def test_the_sentence_says_what_to_do() -> None:
    desk = Desk(3 * 2**20)
    desk.ledger.take("i1", "a.x", 3 * 2**20)
    room = desk.node.room("a.y")
    assert room is not None
    why = room.why_not(2**20) or ""
    assert "3 MiB" in why
    assert "memory_budget_bytes" in why
