"""The builder of this node: stored code -> a folder with the code and one with its packages, checked in the sandbox."""

from __future__ import annotations

import asyncio
import errno
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from faasioflex.bus.buckets import CODE_OBJECTS
from faasioflex.bus.port import Bus
from faasioflex.manager.archive.unpack import unpack
from faasioflex.manager.builder.check import check_step, make_executable
from faasioflex.manager.builder.jobs import BuildLimits, Jobs, StepFailed
from faasioflex.manager.builder.store import BUILDS, LAYERS, Store, build_key
from faasioflex.manager.builder.system import Deps, Layer, Work
from faasioflex.manager.builder.systems import Systems
from faasioflex.manager.builder.turns import Turns
from faasioflex.model.errors import BuildFailed, Invalid, PayloadTooLarge, StartFailed, Unavailable
from faasioflex.model.function import CodeSource, RevisionRecord
from faasioflex.model.instance import BuiltCode
from faasioflex.runtime.language import Language, language
from faasioflex.runtime.port import RuntimeDriver
from faasioflex.runtime.registries import Registries
from faasioflex.runtime.toolchain import Toolchain, ensure_async

log = structlog.get_logger(__name__)
REPEATED_LINES = 2_000  # for those who join late
_BUILT = "built.json"


@dataclass
class _Running:
    """A build under way: everybody who wants it gets its lines, also those written before they came."""

    keys: tuple[str, ...]
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=REPEATED_LINES))
    listeners: list[Callable[[str], None]] = field(default_factory=list)

    def tell(self, line: str) -> None:
        self.lines.append(line)
        for listener in self.listeners:
            listener(line)

    def join(self, listener: Callable[[str], None]) -> None:
        for line in self.lines:
            listener(line)
        self.listeners.append(listener)


class LocalBuilder:
    """``folder``: where finished builds lie; ``more_hosts``: that fetching may reach beside the registries.

    Implements manager.builder.port.Builder.
    """

    def __init__(
        self,
        bus: Bus,
        driver: RuntimeDriver,
        folder: Path,
        registries: Registries,
        limits: BuildLimits = BuildLimits(),  # noqa: B008 - a frozen value
        *,
        more_hosts: tuple[str, ...] = (),
    ) -> None:
        self._objects = bus.objects(CODE_OBJECTS)
        self._limits = limits
        self._jobs = Jobs(driver, limits.step, more_hosts)
        self._store = Store(folder)
        self._store.sweep()
        self._systems = Systems(self._jobs, self._store, registries)
        self._running: dict[object, tuple[_Running, asyncio.Task[BuiltCode]]] = {}
        self._turns = Turns()

    def find(self, record: RevisionRecord) -> BuiltCode | None:
        for key in self._keys(record):
            path = self._store.find(BUILDS, key)
            built = _Built.read(path) if path is not None else None
            if path is None or built is None:
                continue
            layer = self._store.find(LAYERS, built.layer) if built.layer else None
            if built.deps != "layer" or layer is not None:
                return BuiltCode(path / "code", _deps(built.deps, path, layer))
        return None

    async def build(self, record: RevisionRecord, on_line: Callable[[str], None]) -> BuiltCode:
        # what the check sees is a part of it: another's environment must not decide about this one
        same = (self._keys(record), record.source, tuple(sorted(record.env.items())), record.limits)
        if same not in self._running:
            running = _Running(self._keys(record))
            task = asyncio.create_task(self._build(record, running.tell))
            self._running[same] = running, task
            task.add_done_callback(lambda _: self._running.pop(same, None))
        running, task = self._running[same]
        running.join(on_line)
        return await asyncio.shield(task)

    async def collect(self, in_use: list[RevisionRecord]) -> None:
        wanted = {key for record in in_use for key in self._keys(record)}
        wanted.update(key for running, _ in self._running.values() for key in running.keys)
        for gone in await self._store.collect(BUILDS, wanted):
            log.info("unused build removed", key=gone)
        kept = [_Built.read(self._store.root / BUILDS / key) for key in self._store.keys(BUILDS)]
        if not self._running:  # one of those may have a layer that nothing refers to yet
            for gone in await self._store.collect(LAYERS, {one.layer for one in kept if one and one.layer}):
                log.info("unused packages removed", key=gone)
            await self._systems.collect(in_use)
        await asyncio.to_thread(self._store.sweep)

    async def _build(self, record: RevisionRecord, on_line: Callable[[str], None]) -> BuiltCode:
        async with self._turns.taken(record.namespace):
            found = self.find(record)
            if found is not None:
                return found
            try:
                toolchain = await _toolchain(record, on_line)
                async with asyncio.timeout(self._limits.build_s):
                    found = await self._make(record, toolchain, on_line)
            except StartFailed as error:
                raise Unavailable(error.message) from error  # of the sandbox for a step: not the function's fault
            except Unavailable as error:
                on_line(f"build postponed: {error.message.splitlines()[0]}")
                raise
            except Exception as error:
                failed = self._failed(error)
                on_line(f"build failed: {failed.message.splitlines()[0].removesuffix(':')}")
                raise failed from None
            on_line("== built")
            return found

    def _failed(self, error: Exception) -> BuildFailed:
        """What people are told of what went wrong."""
        match error:
            case StepFailed():
                return error.build_failed()
            case BuildFailed():
                return error
            case Invalid() | PayloadTooLarge():  # BadArchive and NotSupportedYet among them
                return BuildFailed(error.message)
            case TimeoutError():
                return BuildFailed(f"the build took longer than its {self._limits.build_s:g} s")
            case OSError():
                return _not_written(error)
        log.error("a build failed inside the platform", exc_info=error)
        return BuildFailed(f"something went wrong inside the platform ({type(error).__name__}): its log has the trace")

    async def _make(
        self, record: RevisionRecord, toolchain: Toolchain | None, on_line: Callable[[str], None]
    ) -> BuiltCode:
        if not isinstance(record.source, CodeSource):
            raise BuildFailed("images are not built here")
        kind = language(record.runtime)
        packed = await self._objects.get(record.source.sha256)
        if packed is None:
            raise BuildFailed("the code is not stored any more: deploy it again")
        async with self._store.aside(BUILDS) as folder:
            work = Work(record, kind, toolchain, folder, on_line)
            on_line(f"== unpack {record.source.size_bytes} bytes of code")
            await asyncio.to_thread(unpack, packed, work.code, sha256=record.source.sha256)
            if record.runtime == "exec":
                make_executable(work.code, record.handler)
            made = await self._systems.of(kind).make(work)
            layer = made.layer or Layer("", "")
            deps = _deps(made.deps, folder, self._store.find(LAYERS, layer.key) if layer.key else None)
            await self._jobs.run(check_step(record, kind, work.code, deps), on_line)
            _Built(layer.key, made.deps).write(folder)
            key = build_key(record, layer.owner, self._stamp(kind))
            if self.find(record) is None:  # what may be there lacks its packages
                await self._store.discard(BUILDS, key)
            self._store.keep(BUILDS, key, folder)
        found = self.find(record)
        if found is None:
            raise Unavailable("the finished build was removed by somebody: it is made again")
        return found

    def _keys(self, record: RevisionRecord) -> tuple[str, ...]:
        """Under which its build may lie: everybody's, or its namespace's own. None for a language that is not there."""
        try:
            stamp = self._stamp(language(record.runtime))
        except Invalid:
            return ()
        return tuple(build_key(record, owner, stamp) for owner in ("", record.namespace))

    def _stamp(self, kind: Language) -> list[object]:
        return self._systems.of(kind).stamp(kind)


@dataclass(frozen=True)
class _Built:
    """What a finished build says of itself, in a file beside its code."""

    layer: str
    deps: Deps

    @staticmethod
    def read(build: Path) -> _Built | None:
        """None where that cannot be read."""
        try:
            content = json.loads((build / _BUILT).read_text("utf-8"))
            layer = str(content["layer"])
            return _Built(layer, content.get("deps", "layer" if layer else "none"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, build: Path) -> None:
        (build / _BUILT).write_text(json.dumps({"layer": self.layer, "deps": self.deps}), "utf-8")


def _deps(deps: Deps, build: Path, layer: Path | None) -> Path | None:
    return {"none": None, "layer": layer, "own": build / "deps"}[deps]


async def _toolchain(record: RevisionRecord, on_line: Callable[[str], None]) -> Toolchain | None:
    """What its language needs, fetched at the first use. Raises: Unavailable, NotSupportedYet."""
    need = language(record.runtime).toolchain
    return await ensure_async(need, on_line) if need is not None else None


def _not_written(error: OSError) -> BuildFailed:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BuildFailed("the disk of this machine is full: make room, see `ffx doctor`, and deploy again")
    return BuildFailed(f"the build cannot be written on this machine ({error.strerror}): see `ffx doctor`")
