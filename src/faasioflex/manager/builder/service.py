"""The builder of this node: stored code -> a folder with the code and one with its packages, checked in the sandbox."""

from __future__ import annotations

import asyncio
import json
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from faasioflex.bus.buckets import CODE_OBJECTS
from faasioflex.bus.port import Bus
from faasioflex.manager.archive.unpack import unpack
from faasioflex.manager.builder.jobs import BuildLimits, Jobs, Step, StepFailed, read_only, writable
from faasioflex.manager.builder.packages import Packages
from faasioflex.manager.builder.registries import Registries
from faasioflex.manager.builder.store import Store, build_key, seal
from faasioflex.model.errors import BadArchive, BuildFailed, PayloadTooLarge
from faasioflex.model.function import CodeSource, RevisionRecord
from faasioflex.model.instance import BuiltCode
from faasioflex.runtime.language import INSIDE, Language, Places, interpreter, language
from faasioflex.runtime.port import RuntimeDriver

log = structlog.get_logger(__name__)
AT_ONCE = 2
BUILDS, LAYERS = "code", "packages"


@dataclass
class _Running:
    """A build under way: everybody who wants it gets its lines, also those written before they came."""

    task: asyncio.Task[BuiltCode]
    lines: list[str]
    listeners: list[Callable[[str], None]]


class LocalBuilder:
    """``folder``: where finished builds lie. Implements manager.builder.port.Builder."""

    def __init__(
        self,
        bus: Bus,
        driver: RuntimeDriver,
        folder: Path,
        registries: Registries,
        limits: BuildLimits = BuildLimits(),  # noqa: B008 - a frozen value
    ) -> None:
        self._objects = bus.objects(CODE_OBJECTS)
        self._jobs = Jobs(driver, limits)
        self._store = Store(folder)
        self._store.sweep()
        self._packages = Packages(self._jobs, self._store, LAYERS, registries)
        self._running: dict[str, _Running] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)

    def find(self, record: RevisionRecord) -> BuiltCode | None:
        path = self._store.find(BUILDS, build_key(record))
        if path is None:
            return None
        layer = json.loads((path / "built.json").read_text("utf-8"))["layer"]
        deps = self._store.find(LAYERS, layer) if layer else None
        if layer and deps is None:
            return None
        return BuiltCode(path / "code", deps)

    async def build(self, record: RevisionRecord, on_line: Callable[[str], None]) -> BuiltCode:
        key = build_key(record)
        running = self._running.get(key)
        if running is None:
            lines: list[str] = []
            listeners: list[Callable[[str], None]] = []

            def tell(line: str) -> None:
                lines.append(line)
                for listener in listeners:
                    listener(line)

            running = _Running(asyncio.create_task(self._build(key, record, tell)), lines, listeners)
            self._running[key] = running
            running.task.add_done_callback(lambda _: self._running.pop(key, None))
        for line in running.lines:
            on_line(line)
        running.listeners.append(on_line)
        return await asyncio.shield(running.task)

    async def collect(self, in_use: list[RevisionRecord]) -> None:
        keys = {build_key(record) for record in in_use} | set(self._running)
        for gone in await asyncio.to_thread(self._store.drop_others, BUILDS, keys):
            log.info("unused build removed", key=gone)
        layers = set()
        for key in keys:
            path = self._store.find(BUILDS, key)
            if path is not None:
                layers.add(json.loads((path / "built.json").read_text("utf-8"))["layer"])
        if not self._running:
            await asyncio.to_thread(self._store.drop_others, LAYERS, layers)

    async def _build(self, key: str, record: RevisionRecord, on_line: Callable[[str], None]) -> BuiltCode:
        async with self._turn:
            found = self.find(record)
            if found is not None:
                return found
            try:
                await self._make(key, record, on_line)
            except StepFailed as error:
                failed = error.build_failed()
                on_line(f"build failed: {failed.message.splitlines()[0]}")
                raise failed from None
            except BuildFailed as error:
                on_line(f"build failed: {error.message}")
                raise
        found = self.find(record)
        if found is None:
            raise BuildFailed("the finished build is not there: is the disk full? see `ffx doctor`")
        on_line("== built")
        return found

    async def _make(self, key: str, record: RevisionRecord, on_line: Callable[[str], None]) -> None:
        if not isinstance(record.source, CodeSource):
            raise BuildFailed("images are not built here")
        kind = language(record.runtime)
        packed = await self._objects.get(record.source.sha256)
        if packed is None:
            raise BuildFailed("the code is not stored any more: deploy it again")
        with self._store.aside(BUILDS) as folder:
            code = folder / "code"
            on_line(f"== unpack {record.source.size_bytes} bytes of code")
            try:
                await asyncio.to_thread(unpack, packed, code, sha256=record.source.sha256)
            except (BadArchive, PayloadTooLarge) as error:
                raise BuildFailed(error.message) from None
            except OSError as error:
                raise BuildFailed(f"the code cannot be unpacked: {error.strerror}; see `ffx doctor`") from None
            if record.runtime == "exec":
                _make_executable(code, record.handler)
            layer = await self._packages.layer(code, kind, record.namespace, on_line)
            if record.runtime == "python":
                await self._compile(code, on_line)
            await self._check(record, kind, code, self._store.find(LAYERS, layer) if layer else None, on_line)
            (folder / "built.json").write_text(json.dumps({"layer": layer}), "utf-8")
            self._store.keep(BUILDS, key, folder)

    async def _compile(self, code: Path, on_line: Callable[[str], None]) -> None:
        """Bytecode beside the sources: nothing can be written when they run. Compiling runs none of it.

        A file that does not compile (Python 2 in a package's tests) is no error here; what the handler needs, the check finds.
        """
        argv = (
            str(interpreter()),
            "-I",
            "-m",
            "compileall",
            "-q",
            "--invalidation-mode",
            "unchecked-hash",
            "/ffx/code",
        )
        try:
            await self._jobs.run(Step("compile", argv, {}, (writable(code, INSIDE.code),)), on_line)
        except StepFailed as error:
            if error.ended.exit_code is None:
                raise
        await asyncio.to_thread(seal, code)

    async def _check(
        self, record: RevisionRecord, kind: Language, code: Path, deps: Path | None, on_line: Callable[[str], None]
    ) -> None:
        """Load it as an instance would, under an instance's rules, and see whether the handler is there."""
        places = Places(INSIDE.runtime, INSIDE.code, INSIDE.deps if deps else None)
        settings = {
            "runtime": record.runtime,
            "handler": record.handler,
            "timeout_s": record.limits.timeout_s,
            "concurrency": record.limits.concurrency,
            "payload_bytes": record.limits.payload_bytes,
        }
        env = {
            **kind.environment_for(places),
            **record.env,
            "FFX_CONFIG": json.dumps(settings),
            "FFX_NAMESPACE": record.namespace,
            "FFX_FUNCTION": record.name,
            "FFX_REVISION": str(record.number),
        }
        binds = [read_only(code, INSIDE.code)]
        if deps is not None:
            binds.append(read_only(deps, INSIDE.deps or ""))
        title = (
            f"check ({record.runtime} {platform.python_version() if record.runtime == 'python' else ''}".rstrip() + ")"
        )
        step = Step(title, tuple(kind.check_argv(places)), env, tuple(binds), cwd=INSIDE.code, language=kind.name)
        await self._jobs.run(step, on_line)


def _make_executable(code: Path, handler: str | None) -> None:
    """The named file, or the only one."""
    files = [path for path in code.rglob("*") if path.is_file() and not path.is_symlink()]
    chosen = code / handler if handler else (files[0] if len(files) == 1 else None)
    if chosen is not None and chosen in files:
        chosen.chmod(0o755)
