"""A line about every call, where the invoker would count."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from faasioflex.invoker.body import ClientGone
from faasioflex.invoker.call import Call
from faasioflex.invoker.tally import Tally

Tell = Callable[[Call, int | None, float], None]


class ToldCalls(Tally):
    """``tell(call, status, ms)``: of a call that has ended; the status is None where the client left before an answer."""

    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self._tell = tell

    @contextmanager
    def counting(self, call: Call) -> Iterator[None]:
        begun = time.monotonic()
        gone = False
        try:
            with super().counting(call):
                yield
        except (ClientGone, ConnectionError, asyncio.CancelledError):
            gone = call.status is None
            raise
        finally:
            self._tell(call, None if gone else call.status, (time.monotonic() - begun) * 1000)
