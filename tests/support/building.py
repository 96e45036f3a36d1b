"""A builder and what tests do with it: store code, build it, look at what came out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from faasioflex.bus.buckets import CODE_OBJECTS
from faasioflex.bus.port import Bus
from faasioflex.manager.archive.canonical import Code
from faasioflex.manager.archive.check import check_archive, check_files
from faasioflex.manager.builder.jobs import MIB, BuildLimits, StepLimits
from faasioflex.manager.builder.service import LocalBuilder
from faasioflex.model.errors import BuildFailed
from faasioflex.model.function import CodeSource, Limits, Network, RevisionRecord
from faasioflex.model.instance import BuiltCode
from faasioflex.runtime.driver import LauncherDriver
from faasioflex.runtime.port import RuntimeDriver
from faasioflex.runtime.registries import Registries
from support.package_index import PackageIndex

HANDLE = "def handle(event, context):\n    return 1\n"
LIMITS = BuildLimits(StepLimits(timeout_s=90.0, memory_bytes=512 * MIB, disk_bytes=96 * MIB), build_s=110.0)


def record(source: CodeSource, **changes: Any) -> RevisionRecord:
    values: dict[str, Any] = {
        "function_uid": "u-1",
        "namespace": "acme",
        "name": "hello",
        "number": 1,
        "runtime": "python",
        "handler": None,
        "env": {},
        "secrets": (),
        "limits": Limits(),
        "network": Network(),
        "rollout": "all",
        "created_at": 0.0,
        "created_by": "admin",
        **changes,
    }
    return RevisionRecord(source=source, **values)


class Building:
    """``lines`` is the log of all builds so far."""

    def __init__(self, bus: Bus, driver: RuntimeDriver, folder: Path, index: PackageIndex) -> None:
        self.bus = bus
        self.driver = driver
        self.folder = folder
        self.index = index
        self.lines: list[str] = []
        self.builder = self.another()

    @property
    def launcher_socket(self) -> Path:
        assert isinstance(self.driver, LauncherDriver)
        return self.driver._socket

    def another(self, limits: BuildLimits = LIMITS, driver: RuntimeDriver | None = None) -> LocalBuilder:
        """A builder on the same folder, as a manager makes when it starts."""
        registries = Registries(default=self.index.url)
        return LocalBuilder(self.bus, driver or self.driver, self.folder, registries, limits)

    def limited(self, build_s: float = 110.0, **step: Any) -> None:
        """Build under other limits from now on."""
        values = {"timeout_s": 90.0, "memory_bytes": 512 * MIB, "disk_bytes": 96 * MIB, **step}
        self.builder = self.another(BuildLimits(StepLimits(**values), build_s))

    async def stored(self, files: Mapping[str, str] | bytes, **changes: Any) -> RevisionRecord:
        """A revision of these files (or of an archive)."""
        code: Code = check_archive(files) if isinstance(files, bytes) else check_files(files)
        await self.bus.objects(CODE_OBJECTS).put(code.source.sha256, code.packed)
        return record(code.source, **changes)

    async def build(
        self, files: Mapping[str, str] | bytes, on_line: Callable[[str], None] | None = None, **changes: Any
    ) -> BuiltCode:
        wanted = await self.stored(files, **changes)
        built = await self.builder.build(wanted, on_line or self.lines.append)
        assert self.builder.find(wanted) == built
        return built

    async def refused(self, files: Mapping[str, str] | bytes, **changes: Any) -> str:
        """The message of a build that fails; nothing of it is kept."""
        wanted = await self.stored(files, **changes)
        try:
            await self.builder.build(wanted, self.lines.append)
        except BuildFailed as error:
            assert self.builder.find(wanted) is None
            return error.message
        raise AssertionError("it was built:\n" + "\n".join(self.lines))

    async def with_packages(self, *requirements: str, imports: str = "") -> BuiltCode:
        """A function that needs these, and runs this when it is loaded."""
        return await self.build({"requirements.txt": "\n".join(requirements) + "\n", "main.py": f"{imports}\n{HANDLE}"})

    async def refused_packages(self, *requirements: str, imports: str = "") -> str:
        files = {"requirements.txt": "\n".join(requirements) + "\n", "main.py": f"{imports}\n{HANDLE}"}
        return await self.refused(files)

    async def give_up(self) -> None:
        """End what is under way, as the end of the manager's loop does."""
        tasks = [task for _, task in self.builder._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def kept(self, kind: str) -> set[str]:
        folder = self.folder / kind
        return set(os.listdir(folder)) if folder.is_dir() else set()

    def assert_tidy(self) -> None:
        """Nothing under way is left, and everything belongs to us and can be read by all."""
        for root, folders, files in os.walk(self.folder):
            for name in [*folders, *files]:
                path = Path(root, name)
                assert not name.startswith(".tmp-"), path
                assert path.lstat().st_uid == os.geteuid(), path
                assert path.is_symlink() or path.stat().st_mode & 0o7022 == 0, (path, oct(path.stat().st_mode))
