"""Instances one after the other: each is started beside the one that serves, and takes its place when it is ready."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from faasioflex.cli.developing.front import Front
from faasioflex.cli.developing.project import Project
from faasioflex.model.errors import FfxError, StartFailed
from faasioflex.model.function import Limits
from faasioflex.model.instance import BuiltCode, InstanceEnded, InstanceReady, InstanceSpec, LogLine
from faasioflex.model.route import Endpoint, FunctionRoute, RevisionRoute
from faasioflex.runtime.port import RuntimeDriver

UID = "dev"
START_S = 60.0  # as on a platform
STUCK_GRACE_S = 1.0


@dataclass(eq=False)
class _One:
    """An instance; ``outcome`` is None when it became ready, else how it ended."""

    id: str
    number: int
    limits: Limits
    code: BuiltCode
    outcome: asyncio.Future[InstanceEnded | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    ready_at: float = 0.0


class Instances:
    """``on_line`` gets every line of their logs; ``crashed`` is told when the one that serves has ended by itself, and
    after how many seconds; ``gone`` when the code of one is not used any more.
    """

    def __init__(
        self,
        driver: RuntimeDriver,
        front: Front,
        *,
        url: str,
        on_line: Callable[[LogLine], None],
        crashed: Callable[[InstanceEnded, float], None],
        gone: Callable[[BuiltCode], None],
    ) -> None:
        self._driver = driver
        self._front = front
        self._url = url
        self._on_line = on_line
        self._crashed = crashed
        self._gone = gone
        self._all: dict[str, _One] = {}
        self._serving: _One | None = None
        self._stops: set[asyncio.Task[None]] = set()

    @property
    def serving(self) -> int | None:
        """The number of the one that serves."""
        return self._serving.number if self._serving else None

    async def follow(self) -> None:
        """Take in what the driver tells, until cancelled."""
        async with self._driver.events() as events:
            async for event in events:
                if isinstance(event, InstanceReady):
                    self._ended_or_ready(event.id, None)
                elif isinstance(event, InstanceEnded):
                    self._ended_or_ready(event.id, event)
                elif isinstance(event, tuple):
                    for line in event:
                        self._on_line(line)

    async def replace(self, project: Project, code: BuiltCode, number: int) -> None:
        """Start one of ``code``; when it is ready it takes all new calls, and the one before ends with the calls it has.

        Raises: StartFailed where it does not become ready: the one before goes on.
        """
        spec = project.spec
        one = _One(f"i-{secrets.token_hex(8)}", number, spec.limits, code)
        self._all[one.id] = one
        try:
            started = await self._driver.start(
                InstanceSpec(
                    id=one.id,
                    function=spec.function,
                    function_uid=UID,
                    revision=number,
                    runtime=spec.runtime,
                    handler=spec.handler,
                    env=spec.env,
                    limits=spec.limits,
                    network=spec.network,
                    code=code,
                    platform_url=self._url,
                    files={f"secrets/{name}": value.encode() for name, value in project.secrets.items()},
                )
            )
            async with asyncio.timeout(START_S):
                ended = await asyncio.shield(one.outcome)
        except BaseException as error:
            self._stop(one, 0)
            if isinstance(error, TimeoutError):
                raise StartFailed(f"it is not ready after {START_S:g} s") from None
            raise
        if ended is not None:
            self._forget(one)
            raise StartFailed(ended.detail)
        before, self._serving = self._serving, one
        endpoint = Endpoint(one.id, started.address)
        revisions = {number: RevisionRoute(spec.limits, (endpoint,))}
        await self._front.route(FunctionRoute(UID, spec.visibility, {number: 100}, revisions))
        if before is not None:
            self._stop(before, before.limits.timeout_s + STUCK_GRACE_S)

    async def none_serves(self, message: str) -> None:
        """Calls are answered with ``message``; only where nothing serves."""
        if self._serving is None:
            await self._front.route(FunctionRoute(UID, "private", {}, {}, message))

    async def hold(self, limits: Limits, number: int) -> None:
        """Calls wait for the next one to be ready."""
        await self._front.route(FunctionRoute(UID, "private", {number: 100}, {number: RevisionRoute(limits)}))

    async def close(self) -> None:
        """End all, without waiting for their calls."""
        for one in list(self._all.values()):
            self._stop(one, 0)
        await asyncio.gather(*self._stops, return_exceptions=True)

    def _ended_or_ready(self, identifier: str, ended: InstanceEnded | None) -> None:
        one = self._all.get(identifier)
        if one is None:
            return
        if not one.outcome.done():
            one.ready_at = time.monotonic()
            one.outcome.set_result(ended)
        elif ended is not None:
            self._forget(one)
            if one is self._serving:
                self._serving = None
                self._crashed(ended, time.monotonic() - one.ready_at)

    def _stop(self, one: _One, grace_s: float) -> None:
        if one is self._serving:
            self._serving = None
        task = asyncio.create_task(self._end(one, grace_s))
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)

    async def _end(self, one: _One, grace_s: float) -> None:
        with contextlib.suppress(FfxError):  # the launcher is gone, and its instances with it
            await self._driver.stop(one.id, grace_s)
        self._forget(one)

    def _forget(self, one: _One) -> None:
        if self._all.pop(one.id, None) is not None:
            self._gone(one.code)
