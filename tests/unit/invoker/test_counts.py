"""What the invoker tells of queues, cache and refusals."""

from __future__ import annotations

from faasioflex.invoker.counts import MOST_QUEUES, Counts
from faasioflex.model.messages import FunctionCounts
from faasioflex.model.names import FunctionName
from faasioflex.model.queue import QueueDepth

HELLO = FunctionName("acme", "hello")


def test_counts_are_told_once_and_depths_as_they_are() -> None:
    counts = Counts()
    counts.depths = lambda: [QueueDepth("acme/hello", 3, 1, 2, 9.5)]
    for count in (counts.retried, counts.retried, counts.died, counts.hit, counts.missed, counts.refused):
        count(HELLO)
    told = counts.take("invoker.local", 1000.0)
    assert told is not None
    assert (told.member, told.at, told.queued, told.delayed, told.running, told.oldest_s) == (
        "invoker.local", 1000.0, 3, 1, 2, 9.5,
    )  # fmt: skip
    assert told.functions == (FunctionCounts("acme", "hello", 3, 1, 2, 9.5, 2, 1, 1, 1, 1),)
    again = counts.take("invoker.local", 1002.0)
    assert again is not None
    assert again.functions == (FunctionCounts("acme", "hello", 3, 1, 2, 9.5),)


def test_silence_comes_after_one_report_that_nothing_is_left() -> None:
    counts = Counts()
    assert counts.take("m", 0.0) is None
    counts.depths = lambda: [QueueDepth("acme/hello", 1, 0, 0, 1.0)]
    assert counts.take("m", 1.0)
    counts.depths = tuple
    last = counts.take("m", 2.0)
    assert last is not None
    assert (last.functions, last.queued) == ((), 0)
    assert counts.take("m", 3.0) is None


def test_of_many_queues_those_that_wait_longest_are_told_one_by_one_and_all_in_the_sums() -> None:
    counts = Counts()
    many = MOST_QUEUES * 3
    counts.depths = lambda: [QueueDepth(f"acme/f{number}", 2, 0, 1, float(number)) for number in range(many)]
    counts.hit(FunctionName("acme", "f0"))
    told = counts.take("m", 0.0)
    assert told is not None
    assert (told.queued, told.running, told.oldest_s) == (2 * many, many, many - 1)
    assert len(told.functions) == MOST_QUEUES + 1
    names = {each.name for each in told.functions}
    assert {"f0", f"f{many - 1}"} <= names
    assert "f1" not in names
