"""The runtime driver that talks to the launcher. Whether its boxes are sandboxes or plain processes the launcher knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from faasioflex.model.errors import Unavailable
from faasioflex.model.instance import Instance, InstanceEnded, InstanceEvent, InstanceReady, InstanceSpec, LogLine
from faasioflex.runtime.connection import Connection
from faasioflex.runtime.launcher import wire
from faasioflex.runtime.launcher.wire import Json
from faasioflex.runtime.port import JobEnded, JobSpec, PoolFigures

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.1


@dataclass
class _Stream:
    """One use of ``events``: the connection it has now, and whether it is over."""

    connection: Connection | None = None
    over: bool = False


class LauncherDriver:
    """``socket`` is the launcher's. Connects when it is used, and again when the launcher was away."""

    def __init__(self, socket: Path) -> None:
        self.name = "launcher"  # «sandbox» or «process» once it has told
        self._socket = socket
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._launcher: str | None = None  # which launcher process the instances below live in
        self._alive: dict[str, Instance] = {}
        self._closed = False

    async def start(self, spec: InstanceSpec) -> Instance:
        instance = wire.to_instance(cast(Json, await self._call("start", spec=wire.of_spec(spec))))
        self._alive[instance.id] = instance
        return instance

    async def give(self, instance: str, files: Mapping[str, bytes]) -> None:
        await self._call("give", instance=instance, files=wire.of_files(files))

    async def stop(self, instance: str, grace_s: float) -> None:
        await self._call("stop", instance=instance, grace_s=grace_s)

    async def resize(self, instance: str, memory_bytes: int, cpu: float) -> None:
        await self._call("resize", instance=instance, memory_bytes=memory_bytes, cpu=cpu)

    async def freeze(self, instance: str) -> None:
        await self._call("freeze", instance=instance)

    async def thaw(self, instance: str) -> None:
        await self._call("thaw", instance=instance)

    async def observe(self) -> list[Instance]:
        return [wire.to_instance(seen) for seen in cast("list[Json]", await self._call("observe"))]

    async def usage(self) -> dict[str, tuple[int, float]]:
        found = cast("dict[str, list[float]]", await self._call("usage"))
        return {instance: (int(memory), cpu_s) for instance, (memory, cpu_s) in found.items()}

    async def pools(self) -> dict[str, PoolFigures]:
        found = cast("Json | None", await self._call("pool"))
        if found is None:
            return {}
        spares, hits, misses = found["spares"], found["hits_of"], found["misses_of"]
        return {
            language: PoolFigures(spares.get(language, 0), hits.get(language, 0), misses.get(language, 0))
            for language in sorted({*spares, *hits, *misses})
        }

    async def pool(self) -> dict[str, object] | None:
        """What is told of the sandboxes that wait for a function (``Pool.figures``); None where none do."""
        return cast("dict[str, object] | None", await self._call("pool"))

    async def run(self, job: JobSpec, on_line: Callable[[str], None]) -> JobEnded:
        """On a connection of its own: cancelled, it closes that, and the launcher ends the job."""
        connection = await Connection.open(self._socket)
        try:
            return wire.to_job_ended(cast(Json, await connection.call("run", {"job": wire.of_job(job)}, on_line)))
        finally:
            await connection.close()

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[InstanceEvent]]:
        stream = _Stream()
        iterator = self._events(stream)
        try:
            yield iterator
        finally:
            stream.over = True
            if stream.connection is not None:
                await stream.connection.close()  # ends an iteration that waits in another task
            with suppress(RuntimeError):  # «already running»: in that task, which ends now
                await iterator.aclose()

    async def _events(self, stream: _Stream) -> AsyncGenerator[InstanceEvent, None]:
        """What was yielded counts as taken care of when the next is asked for. Of a launcher that died with its instances
        each of them is told as lost, when the next one answers."""
        pause_s = _FIRST_PAUSE_S
        while not (self._closed or stream.over):
            try:
                connection = stream.connection = await Connection.open(self._socket)
            except Unavailable:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                continue
            try:
                hello = cast(Json, await connection.call("events", {}))
                pause_s = _FIRST_PAUSE_S
                for lost in self._greet(hello):
                    yield lost
                while (batch := await connection.batches.get()) is not None:
                    for event in grouped(batch["events"]):
                        self._note(event)
                        yield event
                    connection.acknowledge(batch["upto"])
            except Unavailable:
                continue
            finally:
                await connection.close()

    def _note(self, event: InstanceEvent) -> None:
        if isinstance(event, InstanceEnded):
            self._alive.pop(event.id, None)
        elif isinstance(event, InstanceReady) and event.id in self._alive:
            self._alive[event.id] = replace(self._alive[event.id], state="ready")

    def _greet(self, hello: Json) -> list[InstanceEnded]:
        """Take in what a launcher says of itself; returns the instances that died with another one before it."""
        self.name = hello["mode"]
        now = {seen["id"]: wire.to_instance(seen) for seen in hello["instances"]}
        lost = []
        if self._launcher != hello["launcher"]:
            lost = [_lost(instance) for instance in self._alive.values() if instance.id not in now]
            self._launcher = hello["launcher"]
            self._alive = {}
        self._alive.update(now)
        return lost

    async def _call(self, operation: str, **content: object) -> object:
        async with self._connecting:
            if self._connection is None or self._connection.lost:
                self._connection = await Connection.open(self._socket)
            connection = self._connection
        return await connection.call(operation, content)

    async def close(self) -> None:
        self._closed = True
        if self._connection is not None:
            await self._connection.close()


def grouped(records: list[Json]) -> list[InstanceEvent]:
    """Events of a batch in their order, log lines that follow each other as one tuple."""
    found: list[InstanceEvent] = []
    lines: list[LogLine] = []
    for record in records:
        event = wire.to_event(record)
        if isinstance(event, LogLine):
            lines.append(event)
            continue
        if lines:
            found.append(tuple(lines))
            lines = []
        found.append(event)
    if lines:
        found.append(tuple(lines))
    return found


def _lost(instance: Instance) -> InstanceEnded:
    return InstanceEnded(
        id=instance.id,
        function=instance.function,
        function_uid=instance.function_uid,
        revision=instance.revision,
        reason="lost",
        detail="the launcher that ran it has ended, and it with it",
        was_ready=instance.state == "ready",
    )
