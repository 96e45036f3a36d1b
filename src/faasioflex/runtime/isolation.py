"""What the launcher asks of an isolation: a box per instance or job. Two kinds: sandbox, process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from faasioflex.model.errors import Conflict, NotSupportedYet
from faasioflex.model.instance import EndReason
from faasioflex.runtime.egress.messages import Denial, Guest
from faasioflex.runtime.processes import ProcessTable

RETIRED = 75  # exit code of an instance that asks to be replaced
MIB = 1024 * 1024


@dataclass(frozen=True)
class Shown:
    """A host file or folder at ``target`` inside; what is writable belongs to a job."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Order:
    """What shall run. Paths in ``argv``, ``env`` and ``cwd`` are those inside, see ``shown``."""

    id: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    shown: tuple[Shown, ...]
    memory_bytes: int
    disk_bytes: int
    processes: int
    cpu: float | None  # cores, from the moment it is ready; None: no limit
    patient: bool = False  # nobody waits for it: it gets the CPU time that nobody else wants, until told otherwise
    guest: Guest | None = None  # what the egress relay is told of it, where there is one


@dataclass(frozen=True)
class Verdict:
    """Why something ended, as far as its exit tells."""

    reason: EndReason
    detail: str
    exit_code: int | None


class Box(Protocol):
    """One sandbox and what runs in it. Used once: begin, …, gone, close."""

    @property
    def uid(self) -> int | None:
        """The host uid of its own that it runs as; None: as we do."""

    async def begin(self, handed: Mapping[int, int]) -> asyncio.Future[int]:
        """Start it with these descriptors (number inside -> ours). The future is done when its outermost process has ended.

        Raises: OSError where this machine cannot start it, ValueError where its words cannot be passed on.
        """

    def ready(self) -> None:
        """Start-up is over: the CPU limit holds from now on."""

    def terminate(self) -> None:
        """SIGTERM to the command."""

    def kill(self) -> None:
        """SIGKILL to everything in it."""

    def resize(self, memory_bytes: int, cpu: float) -> None:
        """These are its limits from now on (``cpu`` once :meth:`ready`).

        Raises: Conflict where it uses more memory; NotSupportedYet where ``cpu`` would change and nothing here holds it.
        """

    def freeze(self) -> None:
        """Nothing of it runs until :meth:`thaw`; signals but SIGKILL wait. Again is no error. Raises: NotSupportedYet."""

    def thaw(self) -> None:
        """It goes on; one that was not frozen is no error."""

    def excess(self, table: ProcessTable) -> str | None:
        """A sentence when it uses more memory than it may. ``table`` is empty where none of the boxes asked for one."""

    def usage(self, table: ProcessTable) -> tuple[int, float]:
        """Memory in bytes, CPU seconds so far."""

    async def gone(self) -> None:
        """Wait until nothing of it lives; after the future of ``begin``."""

    def verdict(self, exit_code: int) -> Verdict: ...

    def close(self) -> None:
        """Give back what it held: uid, control group, descriptors."""


class Isolation(Protocol):
    needs_process_table: bool  # memory is watched by /proc, not by control groups
    relayed: bool  # what leaves a box goes through the egress relay

    @property
    def warning(self) -> str | None:
        """For the log, at start."""

    def box(self, order: Order, on_denial: Callable[[Denial], None]) -> Box:
        """``on_denial`` hears of destinations that it asked for and may not reach."""

    def tidy(self) -> None:
        """Called now and then: finish what could not be cleaned up at once."""

    def close(self) -> None: ...


def over_memory(limit_bytes: int) -> str:
    return f"used more than its {_shown(limit_bytes)} of memory: raise limits.memory_bytes or let it use less"


def uses_more(used_bytes: int, memory_bytes: int) -> Conflict:
    return Conflict(f"it uses {_shown(used_bytes)} of memory, which is more than {_shown(memory_bytes)}")


def cpu_is_fixed() -> NotSupportedYet:
    return NotSupportedYet(
        "this machine gives no control group with a CPU quota, so limits.cpu is not held and cannot be raised: see `ffx doctor`"
    )


def _shown(size_bytes: int) -> str:
    return f"{size_bytes / MIB:.0f} MiB" if size_bytes >= MIB else f"{size_bytes} bytes"
