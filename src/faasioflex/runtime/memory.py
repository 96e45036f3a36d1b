"""A runtime driver without processes: instances are entries of a table. For tests of what is above the port."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

from faasioflex.model.errors import Conflict, NotSupportedYet, Unavailable
from faasioflex.model.instance import EndReason, Instance, InstanceEnded, InstanceEvent, InstanceReady, InstanceSpec
from faasioflex.runtime.port import JobEnded, JobSpec, PoolFigures


class MemoryDriver:
    """``script(spec)`` says what becomes of a start: True ready at once, False never by itself, a string: it ends with it.

    ``used``: what ``usage`` tells of an instance, else that it uses nothing. ``away`` makes it unavailable. Several managers may
    use it one after the other: it is the node.
    """

    name = "memory"

    def __init__(self) -> None:
        self.instances: dict[str, Instance] = {}
        self.specs: dict[str, InstanceSpec] = {}
        self.started: list[InstanceSpec] = []
        self.stopped: list[str] = []
        self.jobs: list[JobSpec] = []
        self.used: dict[str, tuple[int, float]] = {}
        self.pooled: dict[str, PoolFigures] = {}
        self.away = False
        self.connected: set[str] = set()  # instances that somebody is connected to
        self.fixed: str | None = None  # why limits cannot be changed and nothing can be frozen here
        self.resized: list[tuple[str, int, float]] = []
        self.script: Callable[[InstanceSpec], bool | str] = lambda _spec: True
        self._events: asyncio.Queue[InstanceEvent] = asyncio.Queue()

    async def start(self, spec: InstanceSpec) -> Instance:
        self._check()
        if spec.id in self.instances:
            return self.instances[spec.id]
        made = Instance(
            id=spec.id,
            function=spec.function,
            function_uid=spec.function_uid,
            revision=spec.revision,
            address=f"unix:/nowhere/{spec.id}.sock",
            state="starting",
            started_at=time.time(),
            wake=spec.wake,
            memory_bytes=spec.limits.memory_bytes,
            cpu=spec.limits.cpu,
        )
        self.instances[spec.id] = made
        self.specs[spec.id] = spec
        self.started.append(spec)
        what = self.script(spec)
        if what is True:
            self.ready(spec.id)
        elif isinstance(what, str):
            self.end(spec.id, "exit", what)
        return made

    async def give(self, instance: str, files: Mapping[str, bytes]) -> None:
        self._check()
        if instance in self.instances:
            self.specs[instance] = replace(self.specs[instance], files=dict(files))

    async def resize(self, instance: str, memory_bytes: int, cpu: float) -> None:
        self._check()
        one = self.instances.get(instance)
        if one is None:
            return
        if self.fixed is not None:
            raise NotSupportedYet(self.fixed)
        if self.used.get(instance, (0, 0.0))[0] > memory_bytes:
            raise Conflict(f"it uses more than {memory_bytes} bytes")
        self.instances[instance] = replace(one, memory_bytes=memory_bytes, cpu=cpu)
        self.resized.append((instance, memory_bytes, cpu))

    async def freeze(self, instance: str) -> None:
        self._check()
        if self.fixed is not None:
            raise NotSupportedYet(self.fixed)
        if instance in self.connected:
            raise Conflict("somebody is connected to it")
        self._freeze(instance, frozen=True)

    async def thaw(self, instance: str) -> None:
        self._check()
        self._freeze(instance, frozen=False)

    def _freeze(self, instance: str, *, frozen: bool) -> None:
        if instance in self.instances:
            self.instances[instance] = replace(self.instances[instance], frozen=frozen)

    async def stop(self, instance: str, grace_s: float) -> None:
        self._check()
        self.stopped.append(instance)
        if instance in self.instances:
            self.end(instance, "stopped", "stopped")

    async def observe(self) -> list[Instance]:
        self._check()
        return list(self.instances.values())

    @contextlib.asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[InstanceEvent]]:
        async def read() -> AsyncIterator[InstanceEvent]:
            while True:
                yield await self._events.get()

        yield read()

    async def run(self, job: JobSpec, on_line: Callable[[str], None]) -> JobEnded:
        self._check()
        self.jobs.append(job)
        on_line(f"ran {job.argv[0]}")
        return JobEnded(0, "exit code 0")

    async def usage(self) -> dict[str, tuple[int, float]]:
        self._check()
        return {instance: self.used.get(instance, (0, 0.0)) for instance in self.instances}

    async def pools(self) -> dict[str, PoolFigures]:
        self._check()
        return dict(self.pooled)

    async def close(self) -> None:
        self.away = True

    def ready(self, instance: str) -> None:
        """It serves from now on."""
        self.instances[instance] = replace(self.instances[instance], state="ready")
        self._events.put_nowait(InstanceReady(instance))

    def end(self, instance: str, reason: EndReason, detail: str) -> None:
        """It is gone, and everybody is told."""
        one = self.instances.pop(instance)
        ended = InstanceEnded(
            one.id, one.function, one.function_uid, one.revision, reason, detail, was_ready=one.state == "ready"
        )
        self._events.put_nowait(ended)

    def lose_all(self) -> None:
        """The launcher died with everything; nobody tells."""
        self.instances.clear()

    def _check(self) -> None:
        if self.away:
            raise Unavailable("the driver is away")
