"""One trace through one policy: a discrete simulation of instances that start, take calls up to their concurrency, and end."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

from bench.simulate.policies import REPORT_S, Scaler
from bench.simulate.trace import Trace


@dataclass(eq=False)
class Instance:
    ready_at: float
    in_flight: int = 0
    draining: bool = False


@dataclass
class Course:
    """``ready`` and ``offered`` by second: instances that took calls, and calls at once had none waited."""

    calls: int = 0
    cold: int = 0  # calls that came when no instance was ready
    waits: list[float] = field(default_factory=list)  # of every call
    instance_s: float = 0.0
    changes: int = 0
    ready: list[int] = field(default_factory=list)
    offered: list[float] = field(default_factory=list)


class Simulation:
    """``start_s``: from the decision for an instance to its first call."""

    def __init__(self, trace: Trace, scaler: Scaler, start_s: float) -> None:
        self._trace, self._scaler, self._start_s = trace, scaler, start_s
        self._instances: list[Instance] = []
        self._ends: list[tuple[float, int, Instance]] = []
        self._waiting: deque[tuple[float, float]] = deque()
        self._desired = 0
        self._begun = 0
        self._order = 0
        self._quiet_since = 0.0
        self.course = Course(offered=_offered(trace))

    def run(self) -> Course:
        """Until the trace is over and its calls are answered."""
        arrivals, at, tick = self._trace.calls, 0, REPORT_S
        while True:
            next_call = arrivals[at][0] if at < len(arrivals) else self._trace.until
            now = min(next_call, tick, self._ends[0][0] if self._ends else self._trace.until)
            if now >= self._trace.until and at >= len(arrivals):
                break
            if self._ends and self._ends[0][0] <= now:
                self._end(now)
            elif at < len(arrivals) and next_call <= now:
                self._arrive(now, arrivals[at][1])
                at += 1
            else:
                self._tick(now)
                tick = self._next_tick(now, next_call)
        return self._closed()

    def _next_tick(self, now: float, next_call: float) -> float:
        """Where nothing runs and nothing can be decided, straight to what comes next."""
        soon = now + REPORT_S
        if self._ends or self._waiting or self._desired > 1:
            return soon
        if not self._desired and not self._instances:
            return max(soon, next_call)
        if now < self._quiet_since + 70 or any(one.ready_at > now for one in self._instances):
            return soon
        return max(soon, min(next_call, self._scaler.asleep_until(self._quiet_since) + REPORT_S))

    def _arrive(self, now: float, works_s: float) -> None:
        self.course.calls += 1
        self._begun += 1
        self._fill(now)
        self.course.cold += not any(one.ready_at <= now and not one.draining for one in self._instances)
        self._waiting.append((now, works_s))
        self._serve(now)
        if self._waiting and not self._desired:
            # Nothing runs: the call itself starts an instance (the invoker's wake, the activator's poke), and is told of.
            self._report(now)
            self._scale(now, max(self._scaler.decide(now, 0, 0), 1))

    def _end(self, now: float) -> None:
        _, _, instance = heapq.heappop(self._ends)
        instance.in_flight -= 1
        self._quiet_since = now
        if instance.draining and not instance.in_flight:
            self._remove(instance, now)
        self._serve(now)

    def _tick(self, now: float) -> None:
        self._fill(now)
        self._serve(now)
        self._report(now)
        if self._scaler.due(now, len(self._waiting)) and (self._desired or self._instances):
            self._scale(now, self._scaler.decide(now, self._ready(now), self._desired))

    def _report(self, now: float) -> None:
        begun, self._begun = self._begun, 0
        self._scaler.report(now, len(self._ends), len(self._waiting), begun)

    def _scale(self, now: float, wanted: int) -> None:
        self._fill(now)
        self.course.changes += wanted != self._desired
        self._desired = wanted
        live = [one for one in self._instances if not one.draining]
        for _ in range(wanted - len(live)):
            self._instances.append(Instance(now + self._start_s))
        # Those that do not serve yet go first, then those with the fewest calls.
        for one in sorted(live, key=lambda one: (one.ready_at <= now, one.in_flight))[: max(len(live) - wanted, 0)]:
            one.draining = True
            if not one.in_flight:
                self._remove(one, now)

    def _serve(self, now: float) -> None:
        while self._waiting:
            free = [
                one
                for one in self._instances
                if one.ready_at <= now and not one.draining and one.in_flight < self._trace.concurrency
            ]
            if not free:
                return
            instance = min(free, key=lambda one: one.in_flight)
            came_at, works_s = self._waiting.popleft()
            self.course.waits.append(now - came_at)
            instance.in_flight += 1
            self._order += 1
            heapq.heappush(self._ends, (now + works_s, self._order, instance))

    def _remove(self, instance: Instance, now: float) -> None:
        self._fill(now)
        self._instances.remove(instance)
        self.course.instance_s += max(now - (instance.ready_at - self._start_s), 0.0)

    def _ready(self, now: float) -> int:
        return sum(1 for one in self._instances if one.ready_at <= now and not one.draining)

    def _fill(self, now: float) -> None:
        """Note how many were ready in the seconds that have passed."""
        while len(self.course.ready) < int(now):
            self.course.ready.append(self._ready(float(len(self.course.ready))))

    def _closed(self) -> Course:
        end = max([self._trace.until, *(at for at, _, _ in self._ends)])
        self._fill(self._trace.until)
        for one in list(self._instances):
            self._remove(one, end)
        return self.course


def _offered(trace: Trace) -> list[float]:
    """Calls at once in each second, if each ran as soon as it came."""
    found = [0.0] * int(trace.until)
    for at, works_s in trace.calls:
        end = min(at + works_s, trace.until)
        for second in range(int(at), int(end) + 1):
            if second < len(found):
                found[second] += max(min(end, second + 1) - max(at, second), 0.0)
    return found
