"""Keeps one gateway at what ``ffx_routes`` says, and tells the others what is in force there and how much it carries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict

import structlog

from faasioflex.bus import codec
from faasioflex.bus.buckets import QUOTAS, ROUTES
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Bus
from faasioflex.gateway import table
from faasioflex.gateway.admissions import Admissions
from faasioflex.gateway.port import Gateway, TrustedIssuer
from faasioflex.identity.directory import Directory
from faasioflex.model.errors import FfxError
from faasioflex.model.identity import Quota
from faasioflex.model.messages import APPLIED_SUBJECT, CALLS_SUBJECT, LOAD_SUBJECT, Applied, CallsReport, LoadReport
from faasioflex.model.route import FunctionRoute

log = structlog.get_logger(__name__)
TELL_S = 1.0
LOAD_S = 0.5
ISSUERS_S = 1.0
USES_S = 1.0
CALLS_S = 2.0
RETRY_S = 0.25


class GatewayController:
    """One per gateway. ``used`` hears the pid of each token that was seen in use.

    Changes that arrive while one is being applied go together as the next one; none waits for a timer.
    """

    def __init__(
        self,
        bus: Bus,
        gateway: Gateway,
        directory: Directory,
        issuers: Callable[[], tuple[TrustedIssuer, ...]],
        *,
        member: str = "gateway.local",
        clock: Callable[[], float] = time.time,
        used: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.problem: str | None = "the gateway controller has not started"
        self._bus = bus
        self._gateway = gateway
        self._member = member
        self._clock = clock
        self._mirror: Mirror[FunctionRoute] = Mirror(bus.bucket(ROUTES.name, FunctionRoute))
        self._live: dict[str, FunctionRoute] = {}  # the gateway's part of it: few of many
        self._quotas: Mirror[Quota] = Mirror(bus.bucket(QUOTAS.name, Quota))
        self._used = used
        self._changed = asyncio.Event()
        self._directory = directory
        self._admissions = Admissions(directory, self._changed.set)
        self._issuers = issuers
        self._trusted: tuple[TrustedIssuer, ...] = ()
        self._applied: int | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Returns when the gateway can connect and the routes are known; ``problem`` is None once it has acknowledged them."""
        self.problem = "the routes have not been read yet"
        self._mirror.listen(self._take)
        self._quotas.listen(lambda _: self._changed.set())
        await self._directory.start()
        await self._mirror.start()
        await self._quotas.start()
        self._trusted = self._issuers()
        await self._gateway.start()
        if lacks := [name for name, is_there in asdict(self._gateway.capabilities).items() if not is_there]:
            log.info("the gateway's proxy cannot do everything", lacks=lacks)
        self.problem = "the gateway has not acknowledged its routes yet"
        self._changed.set()
        self._run("gateway apply", self._keep_applying())
        self._run("gateway applied", self._every(TELL_S, self._tell))
        self._run("gateway issuers", self._every(ISSUERS_S, self._look_at_issuers))
        self._run("gateway uses", self._every(USES_S, self._pass_on_uses))
        self._run("gateway load", self._every(LOAD_S, self._report))
        self._run("gateway calls", self._keep_counting())

    async def stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._mirror.stop()
        await self._quotas.stop()
        await self._directory.stop()
        await self._gateway.close()
        self.problem = "the gateway controller has stopped"

    async def _keep_applying(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._apply()
            except FfxError as error:
                if self.problem != error.message:
                    log.error("the gateway does not follow", code=error.code, error=error.message)
                self.problem = error.message
                await asyncio.sleep(RETRY_S)
                self._changed.set()

    def _take(self, keys: set[str]) -> None:
        """What changed is looked at, and nothing else: most functions are none of the gateway's concern."""
        for key in keys:
            entry = self._mirror.entries.get(key)
            if entry is not None and table.concerns(entry.value):
                self._live[key] = entry.value
            else:
                self._live.pop(key, None)
        self._changed.set()

    async def _apply(self) -> None:
        # read both at once: nothing is awaited in between, so the revision is that of these routes
        revision = self._mirror.revision
        self._admissions.keep(set(self._live))
        revoked = self._directory.revocations()
        made = table.build(
            self._live, revision, self._admissions.of, revoked, self._trusted, per_minute=self._per_minute
        )
        await self._gateway.apply(made)
        if self.problem is not None:
            log.info("the gateway follows", functions=len(made.functions), revision=revision)
        self.problem = None
        self._applied = revision
        await self._tell()

    def _per_minute(self, namespace: str) -> int | None:
        entry = self._quotas.entries.get(namespace)
        return entry.value.calls_per_minute if entry is not None else None

    async def _look_at_issuers(self) -> None:
        """Keys rotate, and the files that hold them are another part's."""
        try:
            trusted = self._issuers()
        except FfxError as error:
            log.error("the keys of tokens cannot be read", code=error.code, error=error.message)
            return
        if trusted != self._trusted:
            self._trusted = trusted
            self._changed.set()

    async def _pass_on_uses(self) -> None:
        for pid in self._gateway.uses():
            self._used(pid)

    async def _tell(self) -> None:
        """What was acknowledged stays in force, also while something newer is refused or the bus is away."""
        if self._applied is not None:
            await self._publish(APPLIED_SUBJECT, Applied(self._member, self._applied))

    async def _report(self) -> None:
        """Nothing while the gateway is blind: an empty report would say that it is idle."""
        loads = self._gateway.loads()
        if loads is not None:
            await self._publish(LOAD_SUBJECT, LoadReport("gateway", self._member, self._clock(), loads))

    async def _keep_counting(self) -> None:
        """At first often: what the gateway has counted before it is asked for the first time is lost."""
        while True:
            calls = await self._gateway.calls()
            if calls:
                await self._publish(CALLS_SUBJECT, CallsReport("gateway", self._member, self._clock(), calls))
            await asyncio.sleep(RETRY_S if calls is None else CALLS_S)

    async def _publish(self, subject: str, message: Applied | LoadReport | CallsReport) -> None:
        try:
            await self._bus.publish(subject, codec.encode(message))
        except FfxError as error:
            log.debug("a message of the gateway was not sent", subject=subject, error=error.message)

    async def _every(self, period_s: float, act: Callable[[], Coroutine[None, None, None]]) -> None:
        while True:
            await asyncio.sleep(period_s)
            await act()

    def _run(self, name: str, work: Coroutine[None, None, None]) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))
