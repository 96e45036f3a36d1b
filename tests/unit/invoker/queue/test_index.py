"""Whose turn it is: order, keys, delays, age, fairness, and messages that are there twice. With a clock of numbers."""

from __future__ import annotations

from dataclasses import replace

from faasioflex.bus.port import MessageHead
from faasioflex.invoker.queue.entry import Entry, Stage
from faasioflex.invoker.queue.head import Head, subject_of, write_head
from faasioflex.invoker.queue.index import Index
from faasioflex.model.function import AsyncPolicy, Limits
from faasioflex.model.invocation import CalledBy
from faasioflex.model.names import FunctionName
from faasioflex.model.queue import QueuedCall
from faasioflex.model.route import FunctionRoute, RevisionRoute

HELLO, OTHER = FunctionName("acme", "hello"), FunctionName("acme", "other")
HEAD = Head("uid-1", 0, 100.0, 0.0, 0, 0, "", callback=False, doubtful=False)
FREE = 1000


def route(policy: AsyncPolicy | None = None, *, at_once: int = 10) -> FunctionRoute:
    return FunctionRoute(
        "uid-1",
        "private",
        {1: 100},
        {1: RevisionRoute(Limits(concurrency=at_once))},
        asynchronous=policy or AsyncPolicy(),
        max_instances=1,
    )


def make_call(name: str) -> QueuedCall:
    return QueuedCall(
        invocation_id=name,
        namespace="acme",
        name="hello",
        function_uid="uid-1",
        revision=None,
        method="POST",
        path="/",
        headers=(),
        body_base64="",
        principal=CalledBy("u", "u"),
        pid="u",
        accepted_at=100.0,
    )


class Kept:
    """An index whose stream is this object."""

    def __init__(self, policy: AsyncPolicy | None = None, *, at_once: int = 10, settled: bool = True) -> None:
        self.routes = {HELLO: route(policy, at_once=at_once), OTHER: route(policy, at_once=at_once)}
        self.surplus: list[int] = []
        self.index = Index(self.routes.get, self.surplus.append, kept_bytes=1000)
        self.sequence = 0
        self.now = 100.0
        if settled:
            self.index.settle(self.now)

    def put(self, name: str, function: FunctionName = HELLO, **fields: object) -> int:
        self.sequence += 1
        head = replace(HEAD, **fields)  # type: ignore[arg-type]
        self.index.see(MessageHead(subject_of(function, name), write_head(head), self.sequence, self.now, 10), self.now)
        return self.sequence

    def take(self, free: int = FREE) -> str | None:
        entry = self.index.next(free)
        return entry.id if entry is not None else None

    def all(self) -> list[str]:
        found = []
        while (name := self.take()) is not None:
            found.append(name)
        return found

    def entry(self, name: str) -> Entry:
        found = self.index.get(name)
        assert found is not None
        return found

    def end(self, name: str) -> None:
        self.index.ended(self.entry(name), Stage.GONE, self.now)

    def pass_time(self, to: float) -> list[str]:
        """Those that are handed out because they are too old."""
        self.now = to
        return [entry.id for entry in self.index.due(to)]


def test_calls_run_in_the_order_of_their_acceptance_and_those_of_higher_priority_before() -> None:
    kept = Kept()
    for name, priority in (("a", 0), ("b", 0), ("c", 9), ("d", 1), ("e", 9)):
        kept.put(name, priority=priority)
    assert kept.all() == ["c", "e", "d", "a", "b"]


def test_no_more_run_at_once_than_may() -> None:
    kept = Kept(AsyncPolicy(concurrency=2))
    for name in "abc":
        kept.put(name)
    assert kept.all() == ["a", "b"]
    kept.end("a")
    assert kept.all() == ["c"]


def test_as_many_run_at_once_as_the_instances_carry_where_nothing_is_set() -> None:
    kept = Kept(at_once=3)
    for name in "abcd":
        kept.put(name)
    assert kept.all() == ["a", "b", "c"]


def test_functions_take_turns() -> None:
    kept = Kept(at_once=100)
    for number in range(4):
        kept.put(f"h{number}")
    kept.put("o0", OTHER)
    kept.put("o1", OTHER)
    assert kept.all() == ["h0", "o0", "h1", "o1", "h2", "h3"]


def test_a_flood_leaves_as_much_free_as_it_has_and_goes_on_when_more_is_free() -> None:
    kept = Kept(at_once=1000)
    for number in range(100):
        kept.put(f"h{number}")
    running = 0
    while kept.take(20 - running) is not None:
        running += 1
    assert running == 10
    kept.put("o0", OTHER)
    assert kept.take(20 - running) == "o0"
    kept.end("o0")
    assert [kept.take(15), kept.take(14)] == ["h10", "h11"], "held back only as long as others may need the room"


def test_delayed_calls_wait_for_their_time() -> None:
    kept = Kept()
    kept.put("later", run_at=110.0, born=110.0)
    kept.put("now")
    assert kept.all() == ["now"]
    assert kept.index.next_due() == 110.0
    assert kept.pass_time(109.9) == []
    assert kept.all() == []
    assert kept.pass_time(110.0) == []
    assert kept.all() == ["later"]


def test_calls_of_a_key_run_one_after_the_other_over_attempts_too() -> None:
    kept = Kept(AsyncPolicy(order="fifo-per-key"))
    for name, key in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("free", ""), ("a3", "a")):
        kept.put(name, order_key=key)
    assert kept.all() == ["a1", "b1", "free"]
    kept.index.again(kept.entry("a1"), 120.0, kept.now)
    kept.end("b1")
    assert kept.all() == [], "what is tried again keeps its key's turn"
    kept.pass_time(120.0)
    assert kept.all() == ["a1"]
    kept.end("a1")
    assert kept.all() == ["a2"]
    kept.end("a2")
    assert kept.all() == ["a3"]


def test_a_call_that_ends_where_it_waits_does_not_hold_up_its_key() -> None:
    kept = Kept(AsyncPolicy(order="fifo-per-key"))
    for name in ("a1", "a2", "a3"):
        kept.put(name, order_key="a")
    assert kept.all() == ["a1"]
    kept.index.take_out(kept.entry("a2"))
    kept.end("a2")
    assert kept.all() == []
    kept.end("a1")
    assert kept.all() == ["a3"]


def test_the_order_is_kept_by_who_works_on_the_queue_next() -> None:
    kept = Kept(AsyncPolicy(order="fifo-per-key"), settled=False)
    kept.sequence = 10
    kept.put("a2", order_key="a")
    kept.put("a1", order_key="a", order=5, attempts=1)
    kept.index.settle(kept.now)
    assert kept.all() == ["a1"]
    kept.end("a1")
    assert kept.all() == ["a2"]
    assert kept.entry("a2").doubtful, "somebody may have got as far as its outcome"


def test_what_is_set_of_order_and_number_counts_for_those_that_wait() -> None:
    kept = Kept(AsyncPolicy(concurrency=1))
    for name in ("a1", "a2", "b1"):
        kept.put(name, order_key=name[0])
    assert kept.all() == ["a1"]
    kept.routes[HELLO] = route(AsyncPolicy(order="fifo-per-key", concurrency=5))
    kept.index.apply(HELLO, kept.routes[HELLO], kept.now)
    assert kept.all() == ["b1"]
    kept.end("a1")
    assert kept.all() == ["a2"]


def test_calls_grow_too_old_where_they_wait_blocked_or_delayed() -> None:
    kept = Kept(AsyncPolicy(order="fifo-per-key", max_age_s=50.0, concurrency=1))
    kept.put("runs", order_key="k")
    assert kept.all() == ["runs"]
    kept.put("blocked", order_key="k")
    kept.put("ready")
    kept.put("delayed", run_at=200.0, born=200.0)
    assert sorted(kept.pass_time(151.0)) == ["blocked", "ready"]
    assert kept.pass_time(220.0) == []
    assert kept.pass_time(251.0) == ["delayed"]


def test_a_shorter_age_counts_for_those_that_wait() -> None:
    kept = Kept(AsyncPolicy(max_age_s=1000.0, concurrency=1))
    kept.put("runs")
    kept.all()
    kept.put("waits")
    kept.index.apply(HELLO, route(AsyncPolicy(max_age_s=10.0, concurrency=1)), kept.now)
    assert kept.pass_time(111.0) == ["waits"]


def test_of_two_messages_of_a_call_the_one_with_more_attempts_counts_else_the_first() -> None:
    kept = Kept(settled=False)
    first = kept.put("retried")
    second = kept.put("retried", attempts=1)
    kept.put("twice")
    again = kept.put("twice")
    kept.index.settle(kept.now)
    assert sorted(kept.surplus) == [first, again]
    assert kept.entry("retried").sequence == second
    assert kept.entry("retried").attempts == 1
    assert sorted(kept.all()) == ["retried", "twice"]


def test_a_next_attempt_that_only_the_stream_tells_of_replaces_the_one_that_failed() -> None:
    kept = Kept()
    first = kept.put("retried")
    assert kept.take() == "retried"
    kept.entry("retried").attempts = 1  # it failed, and nobody says whether its next attempt was stored
    second = kept.put("retried", attempts=1)
    assert kept.surplus == [first], "left there it would run again when its outcome is not kept any more"
    assert kept.entry("retried").sequence == second


def test_the_stream_may_tell_of_a_call_before_its_acknowledgement_comes_or_after_it_has_ended() -> None:
    kept = Kept()
    assert kept.index.expect(HELLO, "early") is None
    early = kept.put("early")
    assert kept.take() is None, "whoever stores it has not heard of it yet"
    call = make_call("early")
    kept.index.accepted(HELLO, call, HEAD, sequence=early, size=10, now=kept.now)
    assert kept.all() == ["early"]
    assert kept.entry("early").call is call
    kept.index.expect(HELLO, "quick")
    kept.index.accepted(HELLO, make_call("quick"), HEAD, sequence=early + 1, size=10, now=kept.now)
    assert kept.all() == ["quick"]
    kept.end("quick")
    kept.put("quick")
    assert kept.take() is None, "it has ended already"


def test_a_call_that_somebody_else_stored_may_have_been_run() -> None:
    kept = Kept()
    kept.put("theirs")
    assert kept.entry("theirs").doubtful


def test_figures() -> None:
    kept = Kept(AsyncPolicy(order="fifo-per-key", concurrency=1))
    kept.put("r")
    kept.all()
    kept.put("q1", order_key="k")
    kept.put("q2", order_key="k")
    kept.put("d", run_at=500.0, born=500.0)
    kept.now = 130.0
    (depth,) = kept.index.depths(kept.now)
    assert (depth.queued, depth.delayed, depth.running, depth.oldest_s) == (2, 1, 1, 30.0)
    assert list(kept.index.ready()) == [(HELLO, 1, 1)]
    for name in ("r", "q1", "q2", "d"):
        entry = kept.entry(name)
        if entry.waits:
            kept.index.take_out(entry)
        kept.end(name)
    assert list(kept.index.depths(kept.now)) == []
    assert len(kept.index) == 0


def test_thousands_of_calls_leave_nothing_behind() -> None:
    kept = Kept(at_once=100_000)
    for number in range(5000):
        kept.put(str(number))
        assert kept.take() == str(number)
        kept.end(str(number))
    assert len(kept.index._timers._heap) < 3000
    assert kept.index.next_due() is None


def test_what_was_stored_here_is_known_without_being_read() -> None:
    kept = Kept(at_once=100_000)
    for number in range(1, 3000):
        name = str(number)
        kept.index.expect(HELLO, name)
        kept.index.accepted(HELLO, make_call(name), HEAD, sequence=number, size=10, now=kept.now)
        kept.take()
        kept.end(name)
    assert kept.index.seen.up_to == 2999
    assert not kept.index.seen._beyond


def test_five_thousand_functions_have_one_turn_each_before_any_has_its_second() -> None:
    kept = Kept()
    functions = [FunctionName("many", f"f{number}") for number in range(5000)]
    for turn in range(2):
        for function in functions:
            kept.put(f"{function.name}-{turn}", function)
    taken = [kept.take(100_000) for _ in range(10_000)]
    assert taken == [f"{function.name}-{turn}" for turn in range(2) for function in functions]
    assert sum(1 for _ in kept.index.depths(kept.now)) == 5000
