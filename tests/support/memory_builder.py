"""A builder that keeps its results in a table: for tests of the manager."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from faasioflex.model.errors import BuildFailed
from faasioflex.model.function import RevisionRecord
from faasioflex.model.instance import BuiltCode


class MemoryBuilder:
    """``broken``: revision numbers whose build fails. ``gate`` is waited for by every build."""

    def __init__(self) -> None:
        self.done: dict[int, BuiltCode] = {}
        self.builds: list[int] = []
        self.broken: set[int] = set()
        self.gate = asyncio.Event()
        self.gate.set()

    def find(self, record: RevisionRecord) -> BuiltCode | None:
        return self.done.get(record.number)

    async def build(self, record: RevisionRecord, on_line: Callable[[str], None]) -> BuiltCode:
        self.builds.append(record.number)
        on_line("building")
        await self.gate.wait()
        if record.number in self.broken:
            on_line("main.py:1: there is no handle")
            on_line("build failed: check failed (exit code 1)")
            raise BuildFailed("check failed (exit code 1):\nmain.py:1: there is no handle")
        self.done[record.number] = BuiltCode(Path("/nowhere"), None)
        return self.done[record.number]

    async def collect(self, in_use: list[RevisionRecord]) -> None:
        numbers = {record.number for record in in_use}
        self.done = {number: built for number, built in self.done.items() if number in numbers}
