"""All instances of this launcher, by id."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from faasioflex.model.errors import StartFailed
from faasioflex.model.instance import Instance, InstanceSpec
from faasioflex.runtime.egress.messages import Denial
from faasioflex.runtime.isolation import Isolation, Order
from faasioflex.runtime.language import Language, language
from faasioflex.runtime.launcher import order
from faasioflex.runtime.launcher.folders import Folders
from faasioflex.runtime.launcher.instance import Emit, Running
from faasioflex.runtime.launcher.instance_log import InstanceLog
from faasioflex.runtime.launcher.vessel import Vessel
from faasioflex.runtime.processes import ProcessTable

if TYPE_CHECKING:
    from faasioflex.runtime.launcher.pool.pool import Pool  # which needs Linux


class Instances:
    """``sockets`` is the 0700 folder where their sockets are made; nothing of it is shown inside. ``folders``: of their files.

    ``pool`` None: every instance has its sandbox started for it.
    """

    def __init__(
        self,
        isolation: Isolation,
        data: Path,
        sockets: Path,
        folders: Folders,
        emit: Emit,
        *,
        pool: Pool | None = None,
    ) -> None:
        self._isolation = isolation
        self._data = data
        self._sockets = sockets
        self._folders = folders
        self._emit = emit
        self._pool = pool
        self._running: dict[str, Running] = {}

    async def start(self, spec: InstanceSpec) -> Instance:
        """Begin an instance; one that is known is returned as it is.

        Raises: StartFailed where this machine cannot start it, Invalid or NotSupportedYet for its runtime.
        """
        known = self._running.get(spec.id)
        if known is not None:
            return known.seen()
        kind = language(spec.runtime)
        made = order.of_instance(spec, kind, self._data, relayed=self._isolation.relayed)
        running = self._from_pool(spec, kind, made) or await self._fresh(spec, made)
        return running.seen()

    def _from_pool(self, spec: InstanceSpec, kind: Language, made: Order) -> Running | None:
        spare = self._pool.take(spec, kind, made) if self._pool is not None else None
        if spare is None:
            return None
        running = Running(spec, spare.vessel, self._emit)
        spare.on_denial = running.denied
        self._running[spec.id] = running
        running.go_on(spare.ended, on_end=lambda: self._forget(spec.id))
        return running

    async def _fresh(self, spec: InstanceSpec, made: Order) -> Running:
        try:
            folder = self._folders.make(spec.id)
        except OSError as error:
            raise StartFailed(f"{spec.function} cannot be given its files: {error}") from error
        try:
            made = order.with_files(made, folder.path)
            box = self._isolation.box(made, lambda denial: self._denied(spec.id, denial))
        except BaseException:
            folder.remove()
            raise
        vessel = Vessel(box, self._sockets / f"{spec.id}.sock", folder, InstanceLog(None))
        running = self._running[spec.id] = Running(spec, vessel, self._emit)
        try:
            await running.begin(on_end=lambda: self._forget(spec.id))
        except (OSError, ValueError) as error:
            self._forget(spec.id)
            raise StartFailed(f"{spec.function} revision {spec.revision} cannot be started here: {error}") from error
        return running

    async def stop(self, instance: str, grace_s: float) -> None:
        """Returns when it is gone; an unknown id is no error."""
        running = self._running.get(instance)
        if running is not None:
            await running.stop(grace_s)

    def give(self, instance: str, files: Mapping[str, bytes]) -> None:
        """Its files are these from now on; an unknown id is no error. Raises: OSError where memory is full, ValueError."""
        running = self._running.get(instance)
        if running is not None:
            running.give(files)

    async def resize(self, instance: str, memory_bytes: int, cpu: float) -> None:
        """An unknown id is no error. Raises: Conflict where it uses more, NotSupportedYet where this machine cannot."""
        running = self._running.get(instance)
        if running is not None:
            await running.resize(memory_bytes, cpu)

    async def freeze(self, instance: str) -> None:
        """An unknown id is no error. Raises: Conflict while anybody is connected; NotSupportedYet where this machine cannot."""
        running = self._running.get(instance)
        if running is not None:
            await running.freeze()

    async def thaw(self, instance: str) -> None:
        """An unknown id is no error, nor one that is not frozen."""
        running = self._running.get(instance)
        if running is not None:
            await running.thaw()

    def observe(self) -> list[Instance]:
        return [running.seen() for running in self._running.values()]

    def look(self, table: ProcessTable) -> None:
        for running in tuple(self._running.values()):
            running.look(table)

    def usage(self) -> dict[str, tuple[int, float]]:
        """Bytes of memory and CPU seconds so far, by id."""
        table = ProcessTable.scan() if self._isolation.needs_process_table else ProcessTable({})
        return {identifier: running.usage(table) for identifier, running in self._running.items()}

    def _denied(self, instance: str, denial: Denial) -> None:
        running = self._running.get(instance)
        if running is not None:
            running.denied(denial)

    def _forget(self, instance: str) -> None:
        self._running.pop(instance, None)

    def __len__(self) -> int:
        return len(self._running)

    async def close(self) -> None:
        """End all of them at once."""
        await asyncio.gather(*(self.stop(identifier, 0) for identifier in tuple(self._running)))
