"""The runtime driver port: where instances run. Drivers: sandbox (launcher + bubblewrap), process (no isolation)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from faasioflex.model.instance import Instance, InstanceEvent, InstanceSpec

OUTPUT = 3  # the descriptor of a job's output


@dataclass(frozen=True)
class Bind:
    """A host folder or file shown at ``target`` inside a job. Writable only for what ``JobSpec`` says."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class JobSpec:
    """A command that runs to its end in a sandbox of its own: a build's step.

    ``network``: it fetches, and may reach the hosts of ``egress`` (as in ``network.egress``; the operator's, so whatever their addresses
    are), by the machine's own proxies where ``env`` names some.

    Everything that the command writes goes to its private /tmp (``disk_bytes``) or to a writable bind.
    ``language`` shows that language's runtime at /ffx/runtime, as in an instance. ``output``: a file on the host that is made
    for it, empty, and that it can write as descriptor 3 (``OUTPUT``), at most ``disk_bytes``: the way out for what strangers'
    code makes, because one file can hold neither links nor devices, nor be hidden from whoever counts.
    """

    id: str
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    binds: tuple[Bind, ...]
    network: bool
    timeout_s: float
    memory_bytes: int
    disk_bytes: int
    processes: int
    language: str | None = None
    output: Path | None = None
    egress: tuple[str, ...] = ()


@dataclass(frozen=True)
class JobEnded:
    """``exit_code`` None where it was ended: ``detail`` says why (deadline, memory, disk) in words for the build log."""

    exit_code: int | None
    detail: str


@dataclass(frozen=True)
class PoolFigures:
    """``size``: sandboxes that wait now; ``hits`` and ``misses``: starts that found one and none, since the pool began."""

    size: int
    hits: int
    misses: int


class RuntimeDriver(Protocol):
    """Every method may be called again after a failure; ids make them idempotent.

    Raises: Unavailable while the launcher (dockerd) is away; StartFailed where this machine cannot start the instance.
    """

    name: str

    async def start(self, spec: InstanceSpec) -> Instance:
        """Begin it: returns once its address accepts connections (they wait until it is ready). A known id is returned as it is."""

    async def give(self, instance: str, files: Mapping[str, bytes]) -> None:
        """Its files at /run/ffx are these from now on (see ``InstanceSpec.files``). An unknown id is no error."""

    async def stop(self, instance: str, grace_s: float) -> None:
        """SIGTERM, and after ``grace_s`` SIGKILL to all of it. Returns when it is gone; an unknown id is no error."""

    async def resize(self, instance: str, memory_bytes: int, cpu: float) -> None:
        """These are its limits from now on, while it runs. An unknown id is no error.

        Raises: Conflict where it uses more memory than that now; NotSupportedYet where this machine has no way to do it.
        """

    async def freeze(self, instance: str) -> None:
        """Nothing of it runs until :meth:`thaw`; its memory stays. An unknown id is no error, nor one that is frozen.

        Raises: Conflict while anybody is connected to it (a call, or a connection kept after one), or it does not serve yet;
        NotSupportedYet as :meth:`resize`.
        """

    async def thaw(self, instance: str) -> None:
        """It goes on. One that is not frozen, or unknown, is no error."""

    async def observe(self) -> list[Instance]:
        """All instances of this installation that live now, also those that another manager process started."""

    def events(self) -> AbstractAsyncContextManager[AsyncIterator[InstanceEvent]]:
        """Ready, ended and log lines from now on, and those that happened while nobody listened (bounded).

        Log lines of an instance come before its end. Reconnects by itself; after that call ``observe``.
        """

    async def run(self, job: JobSpec, on_line: Callable[[str], None]) -> JobEnded:
        """Run a build's step; ``on_line`` gets each line of its output (stdout and stderr) as it is written."""

    async def usage(self) -> dict[str, tuple[int, float]]:
        """Per instance id: memory in use in bytes, CPU seconds so far."""

    async def pools(self) -> dict[str, PoolFigures]:
        """Per language: what waits for functions. {} where nothing ever does."""

    async def close(self) -> None: ...
