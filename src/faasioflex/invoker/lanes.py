"""All lanes. One is made when a revision is called first, and goes with the revision."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from faasioflex.invoker.admission import Admission
from faasioflex.invoker.bounds import Bounds
from faasioflex.invoker.lane import Lane, Ticket
from faasioflex.model.function import Limits
from faasioflex.model.messages import RevisionLoad
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute, RevisionRoute


class Lanes:
    """``wake``, ``closed`` and ``started`` as in :class:`Lane`."""

    def __init__(
        self,
        admission: Admission,
        bounds: Bounds,
        wake: Callable[[Lane], None],
        closed: Callable[[str], None],
        started: Callable[[Lane], None],
    ) -> None:
        self._admission = admission
        self._bounds = bounds
        self._wake = wake
        self._closed = closed
        self._started = started
        self._lanes: dict[FunctionName, dict[int, Lane]] = {}
        self._uids: dict[FunctionName, str] = {}
        self._retired: list[Lane] = []  # calls that they have are still reported
        self._orders = itertools.count()

    def ticket(self, *, patient: bool = False) -> Ticket:
        return Ticket(next(self._orders), patient)

    def of(self, function: FunctionName, route: FunctionRoute, revision: int) -> Lane:
        """The lane of a revision that ``route`` has."""
        if self._uids.get(function) != route.function_uid:
            self.apply(function, None)
            self._uids[function] = route.function_uid
        lanes = self._lanes.setdefault(function, {})
        lane = lanes.get(revision)
        if lane is None:
            described = route.revisions[revision]
            lane = lanes[revision] = self._make(function, revision, described.limits)
            lane.apply(described)
        return lane

    def apply(self, function: FunctionName, route: FunctionRoute | None) -> None:
        """Take over a new route of a function, or that it is gone. Lanes of functions that nobody calls are not made."""
        lanes = self._lanes.get(function)
        if lanes is None:
            return
        known: dict[int, RevisionRoute] = {}
        if route is not None and not route.deleting and route.function_uid == self._uids.get(function):
            known = route.revisions
        for revision, lane in list(lanes.items()):
            if revision in known:
                lane.apply(known[revision])
            else:
                del lanes[revision]
                lane.retire()
                self._retired.append(lane)
        if not lanes:
            del self._lanes[function]
            self._uids.pop(function, None)

    def loads(self) -> tuple[RevisionLoad, ...]:
        """What there is now, and what was issued since the call before. Retired lanes go once they are quiet."""
        found: list[RevisionLoad] = []
        for lane in [lane for lanes in self._lanes.values() for lane in lanes.values()] + self._retired:
            if lane.quiet:
                continue
            patient = lane.patient
            found.append(
                RevisionLoad(
                    namespace=lane.function.namespace,
                    name=lane.function.name,
                    revision=lane.revision,
                    in_progress=lane.in_progress,
                    issued=lane.take_issued(),
                    waiting=lane.waiting - patient,
                    queued=patient,
                )
            )
        self._retired = [lane for lane in self._retired if not lane.quiet]
        return tuple(found)

    def _make(self, function: FunctionName, revision: int, limits: Limits) -> Lane:
        return Lane(
            function=function,
            revision=revision,
            limits=limits,
            admission=self._admission,
            bounds=self._bounds,
            wake=self._wake,
            closed=self._closed,
            started=self._started,
        )
