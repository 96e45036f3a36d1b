"""The sandboxed steps of a build: what each may see, reach and use. None of them runs in our own process."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faasioflex.model.errors import BuildFailed
from faasioflex.runtime.port import Bind, JobEnded, JobSpec, RuntimeDriver

MIB = 1024 * 1024
KEPT_LINES = 200
QUOTED_LINES = 20
LONGEST_QUOTE = 3000


@dataclass(frozen=True)
class StepLimits:
    """Of one step. ``disk_bytes`` bounds what it writes, wherever."""

    timeout_s: float = 300.0
    memory_bytes: int = 1536 * MIB
    disk_bytes: int = 768 * MIB
    processes: int = 256


@dataclass(frozen=True)
class BuildLimits:
    """``build_s`` is for all steps of a build together."""

    step: StepLimits = StepLimits()
    build_s: float = 900.0


@dataclass(frozen=True)
class Step:
    """``title`` in the log; ``language`` shows that language's runtime at /ffx/runtime; ``output``: see JobSpec.

    ``reaches``: what it fetches from, entries as of ``network.egress``; () has no network.
    ``explains``: where it ends with exit code 1, its last line says in a sentence what is wrong.
    ``when_slow``: what to look for where it takes longer than its time.
    """

    title: str
    argv: tuple[str, ...]
    env: dict[str, str]
    binds: tuple[Bind, ...]
    cwd: str = "/tmp"  # noqa: S108 - the sandbox's private tmpfs
    reaches: tuple[str, ...] = ()
    language: str | None = "python"
    output: Path | None = None
    limits: StepLimits | None = None
    explains: bool = False
    when_slow: str = ""


class StepFailed(Exception):
    """The tool said no. ``lines``: its last ones."""

    def __init__(self, step: Step, ended: JobEnded, lines: list[str]) -> None:
        super().__init__(step.title)
        self.step, self.ended, self.lines = step, ended, lines

    def build_failed(self) -> BuildFailed:
        """What people read: what is wrong where the step can say it, else what was tried and the tool's own last words."""
        *before, last = self.lines[-QUOTED_LINES:] or [""]
        if self.step.explains and self.ended.exit_code == 1 and last:
            return BuildFailed("\n".join([last, *before])[:LONGEST_QUOTE])
        how = f"exit code {self.ended.exit_code}" if self.ended.exit_code is not None else self.ended.detail
        if self.step.limits is None:
            how = how.partition(": raise limits.")[0]  # those are an instance's, not a build's
        if self.step.when_slow and self.ended.exit_code is None and how.startswith("took longer"):
            how = f"{how}: {self.step.when_slow}"
        quote = "\n".join(self.lines[-QUOTED_LINES:])[-LONGEST_QUOTE:]
        return BuildFailed(f"{self.step.title} failed ({how})" + (f":\n{quote}" if quote else ""))


class Jobs:
    """Runs steps through the driver, one sandbox each. Those that fetch may reach the hosts of ``more`` too."""

    def __init__(self, driver: RuntimeDriver, limits: StepLimits, more: tuple[str, ...] = ()) -> None:
        self._driver = driver
        self._more = more
        self.limits = limits

    async def run(self, step: Step, on_line: Callable[[str], None]) -> None:
        """Raises: StepFailed; Unavailable, StartFailed where the sandbox cannot be had now."""
        last: deque[str] = deque(maxlen=KEPT_LINES)

        def keep(line: str) -> None:
            last.append(line)
            on_line(line)

        limits = step.limits or self.limits
        on_line(f"== {step.title}")
        ended = await self._driver.run(
            JobSpec(
                id=f"b-{secrets.token_hex(8)}",
                argv=step.argv,
                env=step.env,
                cwd=step.cwd,
                binds=step.binds,
                network=bool(step.reaches),
                egress=(*step.reaches, *self._more) if step.reaches else (),
                timeout_s=limits.timeout_s,
                memory_bytes=limits.memory_bytes,
                disk_bytes=limits.disk_bytes,
                processes=limits.processes,
                language=step.language,
                output=step.output,
            ),
            keep,
        )
        if ended.exit_code != 0:
            raise StepFailed(step, ended, list(last))


def read_only(source: Path, target: str) -> Bind:
    return Bind(source, target)


def writable(source: Path, target: str) -> Bind:
    return Bind(source, target, writable=True)
