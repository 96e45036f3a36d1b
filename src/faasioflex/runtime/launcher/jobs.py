"""Jobs: commands that run to their end in a box of their own, their output streamed to who asked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from faasioflex.model.errors import StartFailed
from faasioflex.runtime.egress.messages import Denial
from faasioflex.runtime.isolation import Box, Isolation
from faasioflex.runtime.language import language
from faasioflex.runtime.launcher import order
from faasioflex.runtime.launcher.disk import DiskWatch
from faasioflex.runtime.launcher.output import LinePipe
from faasioflex.runtime.launcher.rate import Rate
from faasioflex.runtime.port import OUTPUT, JobEnded, JobSpec
from faasioflex.runtime.processes import ProcessTable

_DRAIN_S = 1.0


class Jobs:
    def __init__(self, isolation: Isolation, data: Path) -> None:
        self._isolation = isolation
        self._data = data
        self._running: set[RunningJob] = set()

    async def run(self, job: JobSpec, on_lines: Callable[[list[str]], None]) -> JobEnded:
        """Cancelled, it ends the job and everything in it first.

        Raises: StartFailed where this machine cannot start it, Invalid or NotSupportedYet for its language.
        """
        made = order.of_job(
            job, language(job.language) if job.language else None, self._data, relayed=self._isolation.relayed
        )
        running = RunningJob(job, lambda denied: self._isolation.box(made, denied), on_lines)
        self._running.add(running)
        try:
            return await running.run()
        except (OSError, ValueError) as error:
            raise StartFailed(f"the job cannot be started here: {error}") from error
        finally:
            self._running.discard(running)

    def look(self, table: ProcessTable) -> None:
        for running in tuple(self._running):
            running.look(table)

    def __len__(self) -> int:
        return len(self._running)

    async def close(self) -> None:
        """End all of them at once."""
        await asyncio.gather(*(running.stop() for running in tuple(self._running)))


class RunningJob:
    def __init__(
        self,
        job: JobSpec,
        make_box: Callable[[Callable[[Denial], None]], Box],
        on_lines: Callable[[list[str]], None],
    ) -> None:
        self._job = job
        self._box = make_box(self._denied)
        self._on_lines = on_lines
        self._rate = Rate(asyncio.get_running_loop().time())
        self._disk = DiskWatch([bind.source for bind in job.binds if bind.writable], job.disk_bytes)
        self._why: str | None = None  # what we ended it for
        self._begun = False
        self._over = asyncio.Event()
        self._lines: list[str] = []

    async def run(self) -> JobEnded:
        await self._disk.start()
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        reading, writing = os.pipe()
        handed = {0: null, 1: writing, 2: writing}
        output = LinePipe(reading, self._rate, self._line)
        try:
            if self._job.output is not None:
                handed[OUTPUT] = _new_file(self._job.output)
            ended = await self._box.begin(handed)
        except BaseException:
            self._box.kill()
            self._box.close()
            output.close()
            self._over.set()
            raise
        finally:
            for descriptor in {*handed.values()}:
                os.close(descriptor)
        self._begun = True
        follow = asyncio.create_task(self._follow(ended, output))
        try:
            return await asyncio.shield(follow)
        except asyncio.CancelledError:
            self._end("nobody waits for it any more")
            with suppress(asyncio.CancelledError):
                await follow
            raise

    async def _follow(self, ended: asyncio.Future[int], output: LinePipe) -> JobEnded:
        guards = [asyncio.create_task(self._deadline()), asyncio.create_task(self._disk_guard())]
        try:
            exit_code = await ended
        finally:
            for guard in guards:
                guard.cancel()
        await self._box.gone()
        await output.drained(_DRAIN_S)
        self._tell_dropped(final=True)
        self._flush()
        verdict = self._box.verdict(exit_code)
        self._box.close()
        self._over.set()
        if self._why is not None:
            return JobEnded(None, self._why)
        return JobEnded(verdict.exit_code, verdict.detail)

    async def _deadline(self) -> None:
        await asyncio.sleep(self._job.timeout_s)
        self._end(f"took longer than its {self._job.timeout_s:g} s")

    async def _disk_guard(self) -> None:
        self._end(await self._disk.exceeded())

    def _end(self, why: str) -> None:
        self._why = self._why or why
        self._box.kill()

    async def stop(self) -> None:
        self._end("the platform stops")
        await self._over.wait()

    def look(self, table: ProcessTable) -> None:
        if not self._begun:
            return
        self._tell_dropped()
        excess = self._box.excess(table)
        if excess is not None:
            self._end(excess)

    def _tell_dropped(self, *, final: bool = False) -> None:
        notice = self._rate.notice(asyncio.get_running_loop().time(), final=final)
        if notice is not None:
            self._add(notice)

    def _denied(self, denial: Denial) -> None:
        self._add(f"{denial.destination} cannot be reached: {denial.why}")

    def _line(self, line: bytes) -> None:
        self._add(line.removesuffix(b"\r").decode(errors="replace"))

    def _add(self, line: str) -> None:
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush)
        self._lines.append(line)

    def _flush(self) -> None:
        if self._lines:
            lines, self._lines = self._lines, []
            self._on_lines(lines)


def _new_file(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
