"""From the files of a folder to code that can run: a copy, and what the platform's builder makes of it where that is needed."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from faasioflex.bus.buckets import CODE_OBJECTS
from faasioflex.bus.port import Bus
from faasioflex.cli.developing.project import Project
from faasioflex.cli.developing.stage import stage
from faasioflex.cli.packing.pack import pack
from faasioflex.manager.archive.check import check_archive
from faasioflex.manager.builder.check import make_executable
from faasioflex.manager.builder.service import LocalBuilder
from faasioflex.model.function import CodeSource, RevisionRecord
from faasioflex.model.instance import BuiltCode
from faasioflex.runtime.language import Language, language
from faasioflex.runtime.port import RuntimeDriver
from faasioflex.runtime.registries import Registries
from faasioflex.runtime.toolchain import ensure_async


class Maker:
    """``copies``: a folder for copies of the code; ``cache``: where builds and packages are kept for the next time."""

    def __init__(self, bus: Bus, driver: RuntimeDriver, *, copies: Path, cache: Path, registries: Registries) -> None:
        self._objects = bus.objects(CODE_OBJECTS)
        self._builder = LocalBuilder(bus, driver, cache, registries)
        self._copies = copies
        self._built: tuple[str, BuiltCode] | None = None  # the newest, and what it was made for

    async def make(self, project: Project, number: int, on_line: Callable[[str], None]) -> BuiltCode:
        """``number`` counts up. Packages are installed where what asks for them has changed; compiled code always is.

        Raises: BuildFailed, Unavailable, BadArchive, PayloadTooLarge, BadRequest, NotSupportedYet.
        """
        kind = language(project.spec.runtime)
        wanted = asked_for(project.folder, kind)
        if kind.toolchain is not None and kind.toolchain.when == "build":
            return await self._build(project, number, on_line)
        if kind.run_toolchain is not None:
            await ensure_async(kind.run_toolchain, on_line)
        copy = self._copies / str(number)
        await asyncio.to_thread(stage, project.folder, copy)
        if project.spec.runtime == "exec":
            make_executable(copy, project.spec.handler)
        if wanted is None:
            return BuiltCode(copy, None)
        if self._built is None or self._built[0] != wanted:
            self._built = wanted, await self._build(project, number, on_line)
        built = self._built[1]
        for made in built.code.iterdir():  # packages that lie beside the code, as those of node do
            if made.is_dir() and not (copy / made.name).exists():
                (copy / made.name).symlink_to(made)
        return BuiltCode(copy, built.deps)

    async def _build(self, project: Project, number: int, on_line: Callable[[str], None]) -> BuiltCode:
        archive = await asyncio.to_thread(pack, project.folder)
        with archive.file:
            code = await asyncio.to_thread(check_archive, archive.file.read())
        await self._objects.put(code.source.sha256, code.packed)
        record = _record(project, number, code.source)
        built = self._builder.find(record) or await self._builder.build(record, on_line)
        await self._builder.collect([record])
        return built


def asked_for(folder: Path, kind: Language) -> str | None:
    """What of the folder decides about its packages, as a digest; None where it asks for none."""
    found = hashlib.sha256()
    files = [folder / name for name in kind.dependency_files if (folder / name).is_file()]
    for file in files:
        found.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest() if files else None


def _record(project: Project, number: int, source: CodeSource) -> RevisionRecord:
    return RevisionRecord.of(
        project.spec,
        number,
        source,
        function_uid="dev",
        rollout="all",
        created_at=time.time(),
        created_by="dev",
    )
