"""The function manager: desired (registry) against observed (driver), for ever."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from faasioflex.bus.port import Bus
from faasioflex.manager.builder.port import Builder
from faasioflex.manager.capacity.desk import NodeDesk
from faasioflex.manager.capacity.ledger import Ledger
from faasioflex.manager.capacity.pressure import Pressure
from faasioflex.manager.collect import Collector
from faasioflex.manager.freezing import Freezer
from faasioflex.manager.instance_files import InstanceFiles, MintToken
from faasioflex.manager.journal import Journal
from faasioflex.manager.lifecycle import Lifecycle
from faasioflex.manager.load import Load
from faasioflex.manager.members import Members
from faasioflex.manager.observer import Observer
from faasioflex.manager.reconciler import Reconciler
from faasioflex.manager.secrets.store import SecretStore
from faasioflex.manager.starting import Starter
from faasioflex.manager.usage import UsageReports
from faasioflex.manager.vertical.loop import Vertical
from faasioflex.manager.wake import WakeDesk
from faasioflex.runtime.port import RuntimeDriver

EMBEDDED_MEMBERS = ("gateway.local", "invoker.local")


class FunctionManager:
    """``members``: whose acknowledgement a drain waits for. ``platform_url``: ``FFX_URL`` of instances.

    ``secrets``, ``mint``: where the files of instances come from; without them they are given none. ``memory_budget_bytes``: what
    all instances of this node may take together (None: no bound), ``weights``: of namespaces when that is used up.
    """

    def __init__(
        self,
        bus: Bus,
        driver: RuntimeDriver,
        builder: Builder,
        *,
        members: tuple[str, ...] = EMBEDDED_MEMBERS,
        platform_url: str | None = None,
        secrets: SecretStore | None = None,
        mint: MintToken | None = None,
        memory_budget_bytes: int | None = None,
        weights: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._driver = driver
        self._journal = Journal(bus, clock)
        self._members = Members(bus, members)
        self._load = Load(bus, members, clock)
        node = NodeDesk(Ledger(), memory_budget_bytes, weights or {}, clock)
        pressure = Pressure(bus, node, self._load, clock)
        self._files = InstanceFiles(bus, driver, store=secrets, mint=mint, clock=clock)
        starter = Starter(driver, self._files, platform_url)
        self._lifecycle = Lifecycle(
            bus, driver, builder, self._members, self._journal, starter=starter, node=node, clock=clock
        )
        self._reconciler = Reconciler(bus, self._lifecycle, self._members, node=node, pressure=pressure, clock=clock)
        self._lifecycle.attach(self._reconciler)
        pressure.attach(self._reconciler)
        self._files.attach(self._reconciler)
        self._observer = Observer(driver, self._reconciler, self._lifecycle, self._journal, clock)
        tracked = self._lifecycle.tracked
        self._freezer = Freezer(
            driver,
            tracked,
            members=self._members,
            load=self._load,
            looks=self._reconciler,
            journal=self._journal,
            clock=clock,
        )
        self._vertical = Vertical(
            bus, driver, tracked, owner=self._reconciler, node=node, journal=self._journal, clock=clock
        )
        self._wake = WakeDesk(
            bus, self._reconciler, self._observer, freezer=self._freezer, load=self._load, clock=clock
        )
        self._collector = Collector(bus, builder, clock)
        self._usage = UsageReports(bus, driver, tracked, node, clock=clock)
        self._running = False

    @property
    def problem(self) -> str | None:
        """None while it is ready, else why not."""
        return self._observer.away if self._running else "starting"

    async def start(self) -> None:
        """Read the registry, adopt running instances, then reconcile. Waits for the driver."""
        await self._journal.start()
        await self._members.start()
        await self._load.start()
        await self._reconciler.start()
        await self._observer.start()
        await self._files.start()
        self._reconciler.run()
        await self._wake.start()
        await self._collector.start()
        await self._usage.start()
        await self._vertical.start()
        await self._freezer.start()
        self._running = True

    async def stop(self) -> None:
        """Let go; instances stay with the launcher and the next manager adopts them."""
        self._running = False
        for part in (
            self._freezer,
            self._vertical,
            self._usage,
            self._collector,
            self._wake,
            self._files,
            self._observer,
            self._reconciler,
            self._lifecycle,
            self._load,
            self._members,
        ):
            await part.stop()
        await self._journal.stop()
