"""Before an instance is stopped or frozen: until when calls may still come to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from faasioflex.manager.members import Members
from faasioflex.manager.state import FunctionState, TrackedInstance
from faasioflex.model.function import Limits

log = structlog.get_logger(__name__)
GATEWAY_WORKERS_S = 1.0  # Envoy acknowledges before its workers have the new endpoints
PRESSED_S = 5.0  # without everybody's word, while others wait for the memory
LOOK_S = 0.5


async def passed(
    state: FunctionState, one: TrackedInstance, members: Members, pressed: Callable[[], bool] = lambda: False
) -> None:
    """Return when the routes lead past it, everybody has said that they apply that, and what was on its way has arrived.

    No word, no return, except after ``PRESSED_S`` in a row in which ``pressed`` (the node's memory is used up).
    """
    while (revision := state.passed_at(one.id)) is None:
        written = state.route_written = state.route_written or asyncio.Event()
        await written.wait()
    await in_force(members, revision, pressed)
    await asyncio.sleep(GATEWAY_WORKERS_S)


async def in_force(members: Members, revision: int, pressed: Callable[[], bool] = lambda: False) -> None:
    pressed_s = 0.0
    while pressed_s < PRESSED_S:
        try:
            await asyncio.wait_for(members.applied(revision), LOOK_S)
        except TimeoutError:
            pressed_s = pressed_s + LOOK_S if pressed() else 0.0
        else:
            return
    log.warning("not waited for routes to be in force: memory is short", routes=revision)


def grace_s(state: FunctionState, one: TrackedInstance) -> float:
    """How long it may finish what it has: its function's timeout, whatever that is."""
    if one.timeout_s is not None:
        return one.timeout_s
    return max(state.limits_of(one.revision).timeout_s, Limits().timeout_s)
