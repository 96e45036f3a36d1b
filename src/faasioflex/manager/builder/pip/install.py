"""Filling folders with packages, by two kinds of step that are never mixed (DESIGN.md 5).

*Fetching* has the network and runs no package code: wheels only, nothing imported. *Building* a package that has no wheel
runs its code, without the network, in a sandbox of which only one file comes out: the wheel. There is no cache that any of
them could write to.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import packaging
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from uv import find_uv_bin

from faasioflex.manager.builder import hosts
from faasioflex.manager.builder.jobs import MIB, Jobs, Step, StepFailed, read_only, writable
from faasioflex.manager.builder.pip.requirements import LONGEST_BYTES, build_needs, from_list, named, split_hashes
from faasioflex.manager.builder.pip.uv_says import Missing, missing_wheel
from faasioflex.manager.builder.store import remove, seal
from faasioflex.model.errors import BuildFailed
from faasioflex.runtime.language import interpreter
from faasioflex.runtime.port import Bind
from faasioflex.runtime.registries import Registries

CERTIFICATES, LINKS = "/ffx/certificates.pem", "/ffx/links"
UV, PACKAGING, STEPS = "/ffx/bin/uv", "/ffx/lib/packaging", "/ffx/steps"
SOURCE, TOOLS = "/ffx/source", "/ffx/tools"
MOST_SOURCE_PACKAGES = 20
LONGEST_NAME = 300
_ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108 - the sandbox's private tmpfs
    "UV_NO_PROGRESS": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_LINK_MODE": "copy",
    "UV_COMPILE_BYTECODE_TIMEOUT": "0",  # the step's own limit counts
}


class Install:
    """For one layer. ``folder`` is scratch space; ``built`` names the packages whose code ran."""

    def __init__(self, jobs: Jobs, registries: Registries, folder: Path, on_line: Callable[[str], None]) -> None:
        self._jobs = jobs
        self._registries = registries
        self._folder = folder
        self._on_line = on_line
        self._wheels = folder / "wheels"
        self._wheels.mkdir()
        seal(self._wheels)
        self._hashes: dict[str, str] = {}  # of the wheels that were built here
        self._built_bytes = 0
        self.built: set[str] = set()

    async def fill(self, target: Path, wanted: list[str]) -> None:
        """Install what is wanted into ``target``. Raises: BuildFailed, StepFailed, Unavailable."""
        while True:
            try:
                await self._fetch(target, wanted)
            except StepFailed as error:
                missing = missing_wheel("\n".join(error.lines))
                if missing is None or missing.name in self.built or len(self.built) >= MOST_SOURCE_PACKAGES:
                    raise
                self.built.add(missing.name)
                await self._from_source(missing, wanted)
            else:
                return

    async def _fetch(self, target: Path, wanted: list[str]) -> None:
        await asyncio.to_thread(remove, target)
        target.mkdir()
        listed = target.with_name(target.name + ".txt")
        listed.write_text("".join(f"{self._as_built(line)}\n" for line in wanted), "utf-8")
        listed.chmod(0o644)  # whatever the umask: a sandbox reads it under another uid
        argv = (
            UV, "pip", "install", "--no-config", "--no-cache", "--only-binary", ":all:", "--compile-bytecode",
            "--python", str(interpreter()), "--target", "/ffx/target", "--find-links", "/ffx/wheels",
            "-r", "/ffx/requirements.txt",
        )  # fmt: skip
        binds = (
            read_only(Path(find_uv_bin()), UV),
            read_only(listed, "/ffx/requirements.txt"),
            read_only(self._wheels, "/ffx/wheels"),
            writable(target, "/ffx/target"),
        )
        await self._run(self._online("fetch packages", argv, binds))
        await asyncio.to_thread(seal, target)

    def _as_built(self, line: str) -> str:
        """Hashes of a package's source held for the source; what was built from it has another."""
        requirement, hashes = split_hashes(line)
        own = self._hashes.get(canonicalize_name(requirement.name))
        return f"{requirement} --hash=sha256:{own}" if hashes and own else line

    async def _from_source(self, missing: Missing, wanted: list[str]) -> None:
        """Fetch the source, fetch what its build needs, build the wheel; offline whenever its code runs."""
        folder = self._folder / f"source-{len(self.built)}"
        source, tools = folder / "source", folder / "tools"
        for path in (folder, source, tools):
            path.mkdir()
            seal(path)
        try:
            await self._fetch_source(missing, wanted, source)
            needs = build_needs(_pyproject(source))
            if needs:
                await self.fill(tools, needs)
            more = set(await self._ask(missing.name, source, tools, folder / "requires.json")) - set(needs)
            if more:
                await self.fill(tools, sorted({*needs, *more}))
            await self._build(missing.name, source, tools, folder / "built.whl")
        finally:
            await asyncio.to_thread(remove, folder)

    async def _fetch_source(self, missing: Missing, wanted: list[str], source: Path) -> None:
        own = named(missing.name, wanted)
        request = {
            "name": missing.name,
            "specifier": str(own[0].specifier) if own else "",
            "ranges": missing.ranges,
            "hashes": own[1] if own else [],
        }
        argv = _python("fetch_source.py", PACKAGING, json.dumps(request), SOURCE)
        library = read_only(Path(packaging.__file__).parent, PACKAGING)
        binds = (_STEPS, library, writable(source, SOURCE))
        await self._run(self._online(f"fetch the source of {missing.name}", argv, binds))
        await asyncio.to_thread(seal, source)

    async def _ask(self, name: str, source: Path, tools: Path, answer: Path) -> list[str]:
        await self._run(_offline(f"ask {name} what its build needs", "requires", source, tools, answer))
        try:
            with answer.open("rb") as file:
                listed = json.loads(file.read(LONGEST_BYTES))
        except (ValueError, RecursionError):
            listed = None
        return from_list(listed, f"{name}: what its build asks for")

    async def _build(self, name: str, source: Path, tools: Path, answer: Path) -> None:
        await self._run(_offline(f"build {name}", "build", source, tools, answer))
        size = answer.stat().st_size
        with answer.open("r+b") as file:
            file.seek(max(0, size - LONGEST_NAME))
            _, line_break, filename = file.read().rpartition(b"\n")
            file.truncate(max(0, size - len(filename) - 1))
        wheel = filename.decode("ascii", "replace")
        try:
            of, _, _, _ = parse_wheel_filename(wheel)
        except InvalidWheelFilename:
            of = None
        if not line_break or of != name or "/" in wheel:
            raise BuildFailed(f"{name}: its build made no wheel of that name")
        self._built_bytes += size
        if self._built_bytes > self._jobs.limits.disk_bytes:
            raise BuildFailed(f"the packages built are larger than {self._jobs.limits.disk_bytes // MIB} MiB together")
        self._hashes[name] = await asyncio.to_thread(_sha256, answer)
        answer.chmod(0o644)
        os.replace(answer, self._wheels / wheel)

    def _online(self, title: str, argv: tuple[str, ...], binds: Sequence[Bind]) -> Step:
        """With the network, and what the registries need."""
        registries = self._registries
        shown = [*binds, *(read_only(folder, f"{LINKS}/{n}") for n, folder in enumerate(registries.folders))]
        if registries.certificates is not None:
            shown.append(read_only(registries.certificates, CERTIFICATES))
        environment = {**_ENVIRONMENT, **registries.environment(CERTIFICATES, LINKS)}
        return Step(title, argv, environment, tuple(shown), reaches=hosts.of_pip(registries))

    async def _run(self, step: Step) -> None:
        await self._jobs.run(step, self._on_line)


_STEPS = read_only(Path(__file__).with_name("in_sandbox"), STEPS)


def _offline(title: str, task: str, source: Path, tools: Path, answer: Path) -> Step:
    """Where package code runs."""
    binds = (_STEPS, read_only(source, SOURCE), read_only(tools, TOOLS))
    return Step(title, _python("build_wheel.py", task, SOURCE, TOOLS), {}, binds, output=answer)


def _python(script: str, *arguments: str) -> tuple[str, ...]:
    return (str(interpreter()), "-I", f"{STEPS}/{script}", *arguments)


def _pyproject(source: Path) -> str | None:
    """Of the archive's one folder, as PEP 625 has it."""
    folders = [path for path in source.iterdir() if path.is_dir()]
    file = (folders[0] if len(folders) == 1 else source) / "pyproject.toml"
    if not file.is_file():
        return None
    if file.stat().st_size > LONGEST_BYTES:
        raise BuildFailed(f"the pyproject.toml of a package is larger than {LONGEST_BYTES // 1024} KiB")
    return file.read_text("utf-8", "replace")


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
