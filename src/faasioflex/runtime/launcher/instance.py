"""One running instance in the launcher: its box, its log, its socket, until it has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from faasioflex.model.errors import Conflict, NotSupportedYet
from faasioflex.model.instance import (
    EgressDenied,
    EndReason,
    Instance,
    InstanceEnded,
    InstanceReady,
    InstanceSpec,
    InstanceState,
    LogLine,
)
from faasioflex.runtime.egress.messages import Denial
from faasioflex.runtime.launcher.connected import connections
from faasioflex.runtime.launcher.instance_log import Owner
from faasioflex.runtime.launcher.journal import log
from faasioflex.runtime.launcher.vessel import Vessel
from faasioflex.runtime.processes import ProcessTable

_BOOST_S = 10.0  # a start has no CPU limit for so long; one that takes longer goes on with that of the function
Emit = Callable[[InstanceReady | InstanceEnded | EgressDenied | LogLine], None]


class Running:
    """``begin`` or ``go_on`` once; ``ended`` is set when it is gone and its end was told. What is of ``vessel`` goes with it."""

    def __init__(self, spec: InstanceSpec, vessel: Vessel, emit: Emit) -> None:
        self._spec = spec
        self._vessel = vessel
        self._box = vessel.box
        self._log = vessel.log
        self._emit = emit
        self._state: InstanceState = "starting"
        self._was_ready = False
        self._started_at = time.time()
        self._boxed_at: float | None = None  # its box stood; from here on the runtime starts
        self._boosted = True
        self._memory_bytes, self._cpu = spec.limits.memory_bytes, spec.limits.cpu
        self._frozen = False
        self._why: tuple[EndReason, str] | None = None  # what we did to it, before its exit tells something else
        self._begun = asyncio.Event()
        self.ended = asyncio.Event()
        self._log.owner = Owner(spec.function, spec.revision, spec.id, emit, self._ready)

    def seen(self) -> Instance:
        spec = self._spec
        return Instance(
            id=spec.id,
            function=spec.function,
            function_uid=spec.function_uid,
            revision=spec.revision,
            address=f"unix:{self._vessel.path}",
            state=self._state,
            started_at=self._started_at,
            wake=spec.wake,
            memory_bytes=self._memory_bytes,
            cpu=self._cpu,
            frozen=self._frozen,
        )

    async def begin(self, on_end: Callable[[], None]) -> None:
        """Start its sandbox. Its socket accepts connections from here on; they wait until the runtime takes them.

        Raises: OSError or ValueError where it cannot be started; nothing of it is left then.
        """
        try:
            ended = await self._vessel.begin(self._spec.files)
        except (OSError, ValueError):
            self._begun.set()
            self.ended.set()
            raise
        self.go_on(ended, on_end)

    def go_on(self, ended: asyncio.Future[int], on_end: Callable[[], None]) -> None:
        """Its sandbox stands, and what runs there knows what it is."""
        self._boxed_at = time.time()
        self._begun.set()
        self._following = asyncio.create_task(self._follow(ended, on_end))

    def give(self, files: Mapping[str, bytes]) -> None:
        """Its files are these from now on. Raises: OSError."""
        if not self.ended.is_set():
            self._vessel.give(files)

    def _ready(self) -> None:
        if self._state == "starting":
            self._state = "ready"
            self._was_ready = True
            self._emit(InstanceReady(self._spec.id))
            self._end_boost()
            self._tell_ready(time.time())

    def _tell_ready(self, now: float) -> None:
        spec, boxed_at = self._spec, self._boxed_at or now
        took_ms = {
            "box_ms": round(1000 * (boxed_at - self._started_at), 1),
            "runtime_ms": round(1000 * (now - boxed_at), 1),
        }
        known = {"instance": spec.id, "function": str(spec.function), "revision": spec.revision}
        log.info("instance is ready", extra=known | took_ms)

    def _end_boost(self) -> None:
        if self._boosted:
            self._boosted = False
            self._box.ready()

    async def resize(self, memory_bytes: int, cpu: float) -> None:
        """Its limits from now on. Raises: Conflict where it uses more memory, NotSupportedYet where this machine cannot."""
        await self._begun.wait()
        if not self.ended.is_set():
            self._box.resize(memory_bytes, cpu)
            self._memory_bytes, self._cpu = memory_bytes, cpu

    async def freeze(self) -> None:
        """Only one that is ready and that nobody is connected to: somebody waits for a start, a stop has its grace.

        Raises: Conflict, NotSupportedYet.
        """
        await self._begun.wait()
        if self.ended.is_set() or self._frozen:
            return
        connected = connections(self._vessel.bound)
        if connected is None:
            raise NotSupportedYet(
                "freezing is for Linux: nothing here says whether somebody is connected to an instance"
            )
        if connected or self._state != "ready":
            raise Conflict(f"it is {self._state} and has {connected} connections")
        self._box.freeze()
        self._frozen = True

    async def thaw(self) -> None:
        await self._begun.wait()
        if not self.ended.is_set():
            self._box.thaw()
            self._frozen = False

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, after ``grace_s`` SIGKILL; returns when it is gone."""
        await self._begun.wait()
        self._state = "stopping"
        await self.thaw()  # or it would not hear of SIGTERM
        self._why = self._why or ("stopped", "stopped")
        if grace_s > 0:
            self._box.terminate()
            try:
                await asyncio.wait_for(self.ended.wait(), grace_s)
            except TimeoutError:
                self._log.platform(f"had not ended {grace_s:g} s after SIGTERM: it is killed")
        if not self.ended.is_set():
            self._box.kill()
            await self.ended.wait()

    def look(self, table: ProcessTable) -> None:
        """Now and then: is it within its memory, was output dropped?"""
        if self.ended.is_set() or not self._begun.is_set():
            return
        self._log.tell_dropped()
        if time.time() - self._started_at > _BOOST_S:
            self._end_boost()
        excess = self._box.excess(table)
        if excess is not None and self._why is None:
            self._why = ("out-of-memory", excess)
            self._box.kill()

    def denied(self, denial: Denial) -> None:
        """A destination that it asked for and may not, or cannot, reach."""
        more = f" ({denial.unsaid} more before it are not shown)" if denial.unsaid else ""
        how = "denied" if denial.denied else "failed"
        self._log.platform(f"egress to {denial.destination} {how}: {denial.why}{more}")
        if denial.denied:
            spec = self._spec
            self._emit(EgressDenied(spec.id, spec.function, spec.revision, denial.destination, denial.why))

    def usage(self, table: ProcessTable) -> tuple[int, float]:
        return self._box.usage(table)

    async def _follow(self, ended: asyncio.Future[int], on_end: Callable[[], None]) -> None:
        exit_code = await ended
        try:
            await self._box.gone()
            await self._vessel.clear()
            verdict = self._box.verdict(exit_code)
            reason, detail = self._why or (verdict.reason, verdict.detail)
            if verdict.reason == "out-of-memory":
                reason, detail = verdict.reason, verdict.detail
            spec = self._spec
            last_lines = tuple(self._log.last_lines)
            self._emit(
                InstanceEnded(
                    spec.id,
                    spec.function,
                    spec.function_uid,
                    spec.revision,
                    reason,
                    detail,
                    self._was_ready,
                    last_lines,
                )
            )
            log.info("instance ended", extra={"instance": spec.id, "reason": reason, "detail": detail})
        except OSError:
            log.exception("the end of an instance was not tidy", extra={"instance": self._spec.id})
        finally:
            self._box.close()
            on_end()
            self.ended.set()
