"""How the tests of a function are run: the command of its language, and what has to be there around it."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from faasioflex.cli.developing.making import Maker, asked_for
from faasioflex.cli.developing.project import Project
from faasioflex.model.errors import NotSupportedYet
from faasioflex.model.instance import BuiltCode
from faasioflex.runtime.language import Language, Places, language
from faasioflex.runtime.toolchain import Toolchain, ensure

LEFT_OUT = ("node_modules", ".git", ".venv")


@dataclass(frozen=True)
class TestRun:
    """``env`` goes over the environment of whoever runs it."""

    argv: list[str]
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    __test__ = False  # for pytest, which takes the name for a test's


@contextmanager
def prepared(project: Project, on_line: Callable[[str], None]) -> Iterator[TestRun]:
    """Fetch the toolchain and the packages that are missing, told to ``on_line``, and say what to run.

    Raises: NotSupportedYet where the language does not say how; BuildFailed, Unavailable.
    """
    kind = language(project.spec.runtime)
    if not kind.test:
        raise NotSupportedYet(f"the runtime {kind.name} does not say how tests are run ('test' in its runtime.toml)")
    toolchain = ensure(kind.toolchain, on_line) if kind.toolchain is not None else None
    with tempfile.TemporaryDirectory(prefix="ffx-test-", ignore_cleanup_errors=True) as place:
        aside = Path(place).resolve()
        around = _AROUND.get(kind.packages or "", _nothing)(project, kind, toolchain, aside, on_line)
        root = str(toolchain.root) if toolchain else None
        places = Places(str(kind.folder), str(around.folder), str(around.deps) if around.deps else None, root)
        env = {**kind.environment_for(places), **project.spec.env, **around.env}
        if toolchain is not None:
            env["PATH"] = os.pathsep.join([str(toolchain.root / "bin"), os.environ.get("PATH", os.defpath)])
        yield TestRun(kind.test_argv(places), around.folder, env)


@dataclass(frozen=True)
class _Around:
    folder: Path
    deps: Path | None = None
    env: dict[str, str] = field(default_factory=dict)


def _nothing(project: Project, *_: object) -> _Around:
    return _Around(project.folder)


def _pip(project: Project, kind: Language, _: Toolchain | None, aside: Path, on_line: Callable[[str], None]) -> _Around:
    """The library and the packages are importable; the function's folder is the first of the path anyway."""
    deps = _packages(project, kind, aside, on_line)
    found = [str(kind.folder), *([str(deps.deps)] if deps and deps.deps else []), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(part for part in found if part)
    return _Around(project.folder, deps.deps if deps else None, {"PYTHONPATH": path})


def _npm(project: Project, kind: Language, _: Toolchain | None, aside: Path, on_line: Callable[[str], None]) -> _Around:
    """Packages are looked for beside the code: where the folder has none, the tests run in a copy that has them."""
    if (project.folder / "node_modules").exists():
        return _Around(project.folder)
    built = _packages(project, kind, aside, on_line)
    modules = built.code / "node_modules" if built else None
    if modules is None or not modules.is_dir():
        return _Around(project.folder)
    copy = aside / "code"
    shutil.copytree(project.folder, copy, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    (copy / "node_modules").symlink_to(modules)
    return _Around(copy)


def _go(project: Project, kind: Language, toolchain: Toolchain | None, aside: Path, _: object) -> _Around:
    """A workspace of the function and the library, unless the folder has one of its own."""
    if (project.folder / "go.work").exists() or toolchain is None or not (project.folder / "go.mod").exists():
        return _Around(project.folder)
    work = aside / "go.work"
    library = kind.folder / "faasioflex"
    work.write_text(f"go {toolchain.version}\n\nuse (\n\t{project.folder}\n\t{library}\n)\n", "utf-8")
    return _Around(project.folder, None, {"GOWORK": str(work), "GOTOOLCHAIN": "local"})


_AROUND = {"pip": _pip, "npm": _npm, "go": _go}


def _packages(project: Project, kind: Language, aside: Path, on_line: Callable[[str], None]) -> BuiltCode | None:
    """What a build makes of the folder; None where it asks for no packages."""
    return asyncio.run(_build(project, aside, on_line)) if asked_for(project.folder, kind) is not None else None


async def _build(project: Project, aside: Path, on_line: Callable[[str], None]) -> BuiltCode:
    from faasioflex.bus.memory import MemoryBus
    from faasioflex.cli.developing.node import local_node
    from faasioflex.cli.developing.session import cache_of
    from faasioflex.runtime.registries import machine_registries

    bus = MemoryBus()
    with cache_of(project) as cache:
        async with local_node(aside) as driver:
            registries = machine_registries(os.environ, Path.home())
            maker = Maker(bus, driver, copies=aside / "copies", cache=cache, registries=registries)
            return await maker.make(project, 1, on_line)
