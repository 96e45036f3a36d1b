"""Answered calls that nobody else counts, and the starts that calls waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from faasioflex.invoker.body import ClientGone
from faasioflex.invoker.call import Call
from faasioflex.invoker.counts import Counts
from faasioflex.invoker.http1.connection import ConnectionEnded
from faasioflex.invoker.http1.head import BadMessage
from faasioflex.invoker.lane import Lane
from faasioflex.model.durations import add, bucket_of
from faasioflex.model.errors import FfxError, InstanceEnded, TooManyCalls
from faasioflex.model.messages import RevisionCalls
from faasioflex.model.names import FunctionName


@dataclass
class _Counted:
    answered: int = 0
    errors: int = 0
    cold_starts: int = 0
    duration_sum_ms: float = 0.0
    durations: dict[int, int] = field(default_factory=dict)
    classes: dict[int, int] = field(default_factory=dict)
    start_durations: dict[int, int] = field(default_factory=dict)
    start_sum_ms: float = 0.0


class Tally:
    """``clock``: seconds, monotonic.

    The gateway counts the calls that came through a revision's cluster of its own (``Target.counted``); a call whose function
    does not exist is nobody's. ``counts``: hears of those that found no place, whoever counts them as calls.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, counts: Counts | None = None) -> None:
        self._clock = clock
        self._counts = counts or Counts()
        self._counted: dict[tuple[FunctionName, int], _Counted] = {}

    @contextmanager
    def counting(self, call: Call) -> Iterator[None]:
        """From the call's beginning to the end of its answer; ``call.status`` says what that was, or the error that ends it.

        A caller that left before the answer began counts as nothing.
        """
        begun = self._clock()
        try:
            yield
        except (ClientGone, ConnectionError, asyncio.CancelledError):
            raise
        except FfxError as error:
            call.status = error.status
            if type(error) is TooManyCalls:  # not because its caller calls too often
                self._counts.refused(call.target.function)
            raise
        except (ConnectionEnded, BadMessage):  # the answer was cut
            call.status = InstanceEnded.status
            raise
        except Exception:
            call.status = FfxError.status
            raise
        finally:
            self._count(call, begun)

    def cold_start(self, lane: Lane) -> None:
        """A start that calls of ``lane`` waited for has ended well."""
        counted, took_ms = self._of(lane.function, lane.revision), lane.waited_s * 1000
        counted.cold_starts += 1
        counted.start_sum_ms += took_ms
        add(counted.start_durations, {bucket_of(took_ms): 1})

    def take(self) -> tuple[RevisionCalls, ...]:
        """What was counted since this was asked before."""
        counted, self._counted = self._counted, {}
        return tuple(
            RevisionCalls(
                function.namespace,
                function.name,
                revision,
                each.answered,
                each.errors,
                each.durations,
                round(each.duration_sum_ms, 3),
                each.cold_starts,
                each.classes,
                each.start_durations,
                round(each.start_sum_ms, 3),
            )
            for (function, revision), each in counted.items()
        )

    def _count(self, call: Call, begun: float) -> None:
        if call.target.counted or call.revision is None or call.status is None:
            return
        took_ms = (self._clock() - begun) * 1000
        counted = self._of(call.target.function, call.revision)
        counted.answered += 1
        counted.errors += call.status >= 500
        counted.duration_sum_ms += took_ms
        add(counted.classes, {call.status // 100: 1})
        add(counted.durations, {bucket_of(took_ms): 1})

    def _of(self, function: FunctionName, revision: int) -> _Counted:
        return self._counted.setdefault((function, revision), _Counted())
