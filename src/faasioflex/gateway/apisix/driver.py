"""The APISIX driver of the gateway port: objects through its Admin API, figures from its Prometheus exporter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine

import structlog

from faasioflex.gateway.apisix.addresses import Parts, resolve
from faasioflex.gateway.apisix.admin import AdminApi
from faasioflex.gateway.apisix.applier import Applier
from faasioflex.gateway.apisix.metrics import Metrics
from faasioflex.gateway.apisix.render import Renderer
from faasioflex.gateway.apisix.settings import ApisixSettings
from faasioflex.gateway.port import Capabilities, RouteTable
from faasioflex.model.errors import FfxError
from faasioflex.model.messages import RevisionCalls, RevisionLoad
from faasioflex.model.names import FunctionName

log = structlog.get_logger(__name__)
BEHIND_S = 1.0  # between two tries of a table that APISIX does not have yet


class ApisixGateway:
    """What was applied last is looked at every ``repair_s`` and set right where somebody else has changed it."""

    capabilities = Capabilities(unix_sockets=False, overflow=False, in_progress=False, uses=False)

    def __init__(self, settings: ApisixSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._admin = AdminApi(settings)
        self._applier = Applier(self._admin, settings.linger_s, clock)
        self._renderer = Renderer(settings)
        self._names: dict[str, FunctionName] = {}
        self._metrics = Metrics(settings, self._names, clock)
        self._table: RouteTable | None = None
        self._behind = False
        self._left_out: tuple[FunctionName, ...] = ()
        self._applying = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._keep_right(), name="gateway repair"),
            asyncio.create_task(self._keep_looking(), name="gateway metrics"),
        ]

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._admin.close()
        await self._metrics.close()

    async def apply(self, table: RouteTable) -> None:
        self._table = table
        async with self._applying:
            await self._bring(self._table)  # a newer one may have come while this waited: then that

    def loads(self) -> tuple[RevisionLoad, ...] | None:
        return self._metrics.loads()

    async def calls(self) -> tuple[RevisionCalls, ...] | None:
        await self._metrics.look()
        return self._metrics.calls()

    def uses(self) -> frozenset[str]:
        """Of none: see ``capabilities``."""
        return frozenset()

    async def _bring(self, table: RouteTable, *, look: bool = False) -> int:
        self._behind = True
        parts = Parts(await resolve(self._settings.api), await resolve(self._settings.invoker))
        rendered = self._renderer.render(table, parts)
        self._names.update(rendered.names)
        written = await self._applier.bring(rendered.objects, look=look)
        self._behind = False
        if rendered.left_out != self._left_out:
            self._left_out = rendered.left_out
            if rendered.left_out:
                log.warning(
                    "APISIX cannot reach instances on unix sockets: the invoker takes their calls",
                    functions=len(rendered.left_out),
                )
        return written

    async def _keep_right(self) -> None:
        while True:
            await asyncio.sleep(BEHIND_S if self._behind else self._settings.repair_s)
            if self._table is None:
                continue
            async with self._applying:
                was_behind = self._behind
                try:
                    written = await self._bring(self._table, look=True)
                except FfxError as error:
                    log.warning("the gateway could not be looked at", code=error.code, error=error.message)
                    continue
                if written and not was_behind:
                    log.warning("objects at APISIX were not as they should be", repaired=written)

    async def _keep_looking(self) -> None:
        await self._every(self._settings.metrics_s, self._metrics.look)

    @staticmethod
    async def _every(period_s: float, act: Callable[[], Coroutine[None, None, None]]) -> None:
        while True:
            await act()
            await asyncio.sleep(period_s)
