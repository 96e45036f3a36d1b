"""What managers and invokers said last: instances and their memory, queues, pools, the node. Costs what runs, not what is registered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from faasioflex.model.messages import CountsReport, UsageReport
from faasioflex.model.names import FunctionName

FRESH_S = 15.0  # what is older is not known any more
STATES = ("starting", "ready", "frozen", "draining")


@dataclass
class Using:
    """Of a function's instances together, over all revisions and nodes; limits as they are now."""

    memory_bytes: int = 0
    memory_limit_bytes: int = 0
    cpu_limit: float = 0.0
    states: Counter[str] = field(default_factory=Counter)

    def add(self, more: Using) -> None:
        self.memory_bytes += more.memory_bytes
        self.memory_limit_bytes += more.memory_limit_bytes
        self.cpu_limit += more.cpu_limit
        self.states.update(more.states)


@dataclass
class Queue:
    """Calls that may run, that may not yet, that run; how long the oldest of the first has waited."""

    queued: int = 0
    delayed: int = 0
    running: int = 0
    oldest_s: float = 0.0

    def add(self, queued: int, delayed: int, running: int, oldest_s: float) -> None:
        self.queued += queued
        self.delayed += delayed
        self.running += running
        self.oldest_s = max(self.oldest_s, oldest_s)


@dataclass
class Pool:
    """``hits`` and ``misses`` since this process started."""

    size: int = 0
    hits: int = 0
    misses: int = 0


@dataclass(frozen=True)
class Node:
    """Of all nodes together. ``budget_bytes`` None: nobody has told one."""

    budget_bytes: int | None
    reserved_bytes: int


class Present:
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._usage: dict[str, tuple[float, UsageReport, dict[FunctionName, Using]]] = {}  # by member
        self._counts: dict[str, tuple[float, CountsReport, dict[FunctionName, Queue]]] = {}
        self._pools: dict[str, Pool] = {}

    def take_usage(self, report: UsageReport) -> dict[FunctionName, Using]:
        """What the report says of each function."""
        found: dict[FunctionName, Using] = {}
        for told in report.usages:
            using = found.setdefault(FunctionName(told.namespace, told.name), Using())
            using.memory_bytes += told.memory_bytes
            using.memory_limit_bytes += told.memory_limit_bytes
            using.cpu_limit += told.cpu_limit
            using.states.update(told.states or {"ready": told.instances})
        self._usage[report.member] = self._now(), report, found
        for pool in report.pools:
            known = self._pools.setdefault(pool.language, Pool())
            known.hits += pool.hits
            known.misses += pool.misses
        return found

    def take_counts(self, report: CountsReport) -> None:
        found: dict[FunctionName, Queue] = {}
        for told in report.functions:
            if told.queued or told.delayed or told.running:
                queue = found.setdefault(FunctionName(told.namespace, told.name), Queue())
                queue.add(told.queued, told.delayed, told.running, told.oldest_s)
        self._counts[report.member] = self._now(), report, found

    def using(self, function: FunctionName) -> Using | None:
        """Zeros without instances; None while no manager tells."""
        fresh = list(self._fresh_usage())
        if not fresh:
            return None
        sums = Using()
        for _, functions in fresh:
            one = functions.get(function)
            if one is not None:
                sums.add(one)
        return sums

    def used(self) -> Using | None:
        """By all functions together; None while no manager tells."""
        fresh = list(self._fresh_usage())
        if not fresh:
            return None
        sums = Using()
        for _, functions in fresh:
            for one in functions.values():
                sums.add(one)
        return sums

    def queue(self, function: FunctionName) -> Queue:
        sums = Queue()
        for _, functions in self._fresh_counts():
            one = functions.get(function)
            if one is not None:
                sums.add(one.queued, one.delayed, one.running, one.oldest_s)
        return sums

    def queues(self) -> Queue:
        """Over all functions, also those that are not told one by one."""
        sums = Queue()
        for report, _ in self._fresh_counts():
            sums.add(report.queued, report.delayed, report.running, report.oldest_s)
        return sums

    def functions(self) -> set[FunctionName]:
        """Those with instances or with a queue."""
        found: set[FunctionName] = set()
        for _, used in self._fresh_usage():
            found |= used.keys()
        for _, queued in self._fresh_counts():
            found |= queued.keys()
        return found

    def node(self) -> Node:
        reports = [report for report, _ in self._fresh_usage()]
        budgets = [report.memory_budget_bytes for report in reports if report.memory_budget_bytes is not None]
        return Node(sum(budgets) if budgets else None, sum(report.memory_reserved_bytes for report in reports))

    def pools(self) -> dict[str, Pool]:
        """By language; of every language that ever had one."""
        sizes: Counter[str] = Counter()
        for report, _ in self._fresh_usage():
            sizes.update({pool.language: pool.size for pool in report.pools})
        return {
            language: Pool(sizes[language], known.hits, known.misses) for language, known in sorted(self._pools.items())
        }

    def _fresh_usage(self) -> Iterator[tuple[UsageReport, dict[FunctionName, Using]]]:
        oldest = self._now() - FRESH_S
        return ((report, functions) for at, report, functions in self._usage.values() if at > oldest)

    def _fresh_counts(self) -> Iterator[tuple[CountsReport, dict[FunctionName, Queue]]]:
        oldest = self._now() - FRESH_S
        return ((report, functions) for at, report, functions in self._counts.values() if at > oldest)
