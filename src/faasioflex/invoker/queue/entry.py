"""One call in the queue, as it is known in memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from faasioflex.invoker.queue.head import Head
from faasioflex.model.invocation import CalledBy, Invocation
from faasioflex.model.queue import QueuedCall

if TYPE_CHECKING:
    from faasioflex.invoker.queue.line import Line


class Stage(Enum):
    """``BLOCKED``: behind another call of its order key. ``ENDING``: what it ends with is known and is being stored.

    ``TELLING``: it has ended, and its callback has not been delivered yet.
    """

    NEW = "new"
    DELAYED = "delayed"
    BLOCKED = "blocked"
    READY = "ready"
    RUNNING = "running"
    ENDING = "ending"
    TELLING = "telling"
    GONE = "gone"


@dataclass(eq=False, slots=True)
class Entry:
    """``call``: where it is kept in memory; else it is read when its turn comes. ``size``: bytes of its message.

    ``slot``: whether it counts as one that runs. ``pauses``: how often it was put off because of the platform.
    ``cancelled_by``: who takes it back, while it still runs.
    """

    id: str
    line: Line
    sequence: int
    head: Head
    size: int
    order: int
    run_at: float
    attempts: int
    doubtful: bool
    call: QueuedCall | None = None
    stage: Stage = Stage.NEW
    slot: bool = False
    due: float | None = None
    waiting_since: float = 0.0
    started_at: float | None = None
    pauses: int = 0
    task: asyncio.Task[None] | None = None
    cancelled_by: CalledBy | None = None
    waiters: list[asyncio.Future[Invocation]] | None = None  # for its outcome

    @property
    def waits(self) -> bool:
        return self.stage in (Stage.DELAYED, Stage.BLOCKED, Stage.READY)
