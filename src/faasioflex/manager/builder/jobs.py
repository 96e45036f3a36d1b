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
LAST_LINES = 12
LONGEST_QUOTE = 3000


@dataclass(frozen=True)
class BuildLimits:
    """Of each step. ``disk_bytes`` bounds what it writes, wherever."""

    timeout_s: float = 300.0
    memory_bytes: int = 1536 * MIB
    disk_bytes: int = 768 * MIB
    processes: int = 256


@dataclass(frozen=True)
class Step:
    """``title`` in the log; ``language`` shows that language's runtime at /ffx/runtime."""

    title: str
    argv: tuple[str, ...]
    env: dict[str, str]
    binds: tuple[Bind, ...]
    cwd: str = "/tmp"  # noqa: S108 - the sandbox's private tmpfs
    network: bool = False
    language: str = "python"


class StepFailed(Exception):
    """The tool said no. ``lines``: its last ones."""

    def __init__(self, step: Step, ended: JobEnded, lines: list[str]) -> None:
        super().__init__(step.title)
        self.step, self.ended, self.lines = step, ended, lines

    def build_failed(self) -> BuildFailed:
        """What people read: what was tried, how it ended, the tool's own last words."""
        how = self.ended.detail if self.ended.exit_code is None else f"exit code {self.ended.exit_code}"
        quote = "\n".join(self.lines)[-LONGEST_QUOTE:]
        return BuildFailed(f"{self.step.title} failed ({how})" + (f":\n{quote}" if quote else ""))


class Jobs:
    """Runs steps through the driver, one sandbox each."""

    def __init__(self, driver: RuntimeDriver, limits: BuildLimits) -> None:
        self._driver = driver
        self._limits = limits

    async def run(self, step: Step, on_line: Callable[[str], None]) -> list[str]:
        """Its last lines. Raises: StepFailed; Unavailable."""
        last: deque[str] = deque(maxlen=LAST_LINES)

        def keep(line: str) -> None:
            last.append(line)
            on_line(line)

        on_line(f"== {step.title}")
        ended = await self._driver.run(
            JobSpec(
                id=f"b-{secrets.token_hex(8)}",
                argv=step.argv,
                env=step.env,
                cwd=step.cwd,
                binds=step.binds,
                network=step.network,
                timeout_s=self._limits.timeout_s,
                memory_bytes=self._limits.memory_bytes,
                disk_bytes=self._limits.disk_bytes,
                processes=self._limits.processes,
                language=step.language,
            ),
            keep,
        )
        if ended.exit_code != 0:
            raise StepFailed(step, ended, list(last))
        return list(last)


def read_only(source: Path, target: str) -> Bind:
    return Bind(source, target)


def writable(source: Path, target: str) -> Bind:
    return Bind(source, target, writable=True)
