"""What the parts said last."""

from __future__ import annotations

from faasioflex.api.present import FRESH_S, Pool, Present
from faasioflex.model.messages import CountsReport, FunctionCounts, PoolUsage, RevisionUsage, UsageReport
from faasioflex.model.names import FunctionName

HELLO, OTHER = FunctionName("acme", "hello"), FunctionName("acme", "other")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def usage(*told: RevisionUsage, member: str = "manager.a", **fields: object) -> UsageReport:
    return UsageReport(member, 0.0, 5.0, told, **fields)  # type: ignore[arg-type]


def test_revisions_and_nodes_are_added_and_old_words_forgotten() -> None:
    clock = Clock()
    present = Present(clock)
    assert present.using(HELLO) is None
    one = RevisionUsage("acme", "hello", 1, 2, 100, 0.0, 300, 1.0, {"ready": 1, "starting": 1})
    two = RevisionUsage("acme", "hello", 2, 1, 10, 0.0, 30, 0.5, {"ready": 1})
    present.take_usage(usage(one, two))
    present.take_usage(usage(two, member="manager.b"))
    using = present.using(HELLO)
    assert using is not None
    assert (using.memory_bytes, using.memory_limit_bytes, using.cpu_limit) == (120, 360, 2.0)
    assert using.states == {"ready": 3, "starting": 1}
    assert present.used() == using
    none = present.using(OTHER)
    assert none is not None
    assert none.memory_bytes == 0
    assert present.functions() == {HELLO}
    clock.now += FRESH_S
    assert present.using(HELLO) is None
    assert present.functions() == set()


def test_queues_are_those_of_the_last_word_and_their_sums_of_all() -> None:
    clock = Clock()
    present = Present(clock)
    told = (FunctionCounts("acme", "hello", 3, 1, 2, 9.0), FunctionCounts("acme", "other", retries=4))
    present.take_counts(CountsReport("invoker.a", 0.0, told, queued=700, delayed=5, running=9, oldest_s=80.0))
    assert vars(present.queue(HELLO)) == {"queued": 3, "delayed": 1, "running": 2, "oldest_s": 9.0}
    assert present.functions() == {HELLO}
    assert (present.queues().queued, present.queues().oldest_s) == (700, 80.0)
    present.take_counts(CountsReport("invoker.a", 0.0, ()))
    assert (present.queue(HELLO).queued, present.queues().queued) == (0, 0)


def test_pools_count_up_and_nodes_are_added() -> None:
    present = Present(Clock())
    assert present.node().budget_bytes is None
    for _ in range(2):
        pools = (PoolUsage("python", 3, hits=2, misses=1), PoolUsage("node", 1))
        present.take_usage(usage(pools=pools, memory_budget_bytes=1000, memory_reserved_bytes=250))
    assert present.pools() == {"node": Pool(1, 0, 0), "python": Pool(3, 4, 2)}
    present.take_usage(usage(member="manager.b", memory_budget_bytes=500, memory_reserved_bytes=50))
    assert (present.node().budget_bytes, present.node().reserved_bytes) == (1500, 300)
