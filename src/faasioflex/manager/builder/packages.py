"""A function's packages as a layer: a folder that uv fills, keyed by what was asked for.

Two kinds of step, never mixed (DESIGN.md 5). *Fetching* has the network and runs no package code: wheels only, nothing
imported. *Building* a package that has no wheel runs its code, without the network, in a folder that is thrown away; only the
wheel comes out, and the layer made with it belongs to the namespace. There is no cache that any of them could write to.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from uv import find_uv_bin

from faasioflex.manager.builder.jobs import Jobs, Step, StepFailed, read_only, writable
from faasioflex.manager.builder.registries import Registries
from faasioflex.manager.builder.requirements import LONGEST_BYTES, from_pyproject, from_requirements_txt
from faasioflex.manager.builder.store import Store, layer_key, seal
from faasioflex.model.errors import BuildFailed
from faasioflex.runtime.language import Language, interpreter

CERTIFICATES = "/ffx/certificates.pem"
UV = "/ffx/bin/uv"
STEPS = "/ffx/steps"
MOST_SOURCE_PACKAGES = 20
_NEEDS_BUILD = re.compile(
    r"(?:Wheels are required for `(?P<hint>[A-Za-z0-9._-]+)`|"
    r"(?:versions of )?(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:[=<>~!]\S*)? (?:has|have) no (?:usable )?wheels)",
    re.ASCII,
)


class Packages:
    """Makes layers. ``kind``: their folder in the store."""

    def __init__(self, jobs: Jobs, store: Store, kind: str, registries: Registries) -> None:
        self._jobs = jobs
        self._store = store
        self._kind = kind
        self._registries = registries

    async def layer(self, code: Path, language: Language, namespace: str, on_line: Callable[[str], None]) -> str | None:
        """The key of the layer that this code needs, None where it needs none. Raises: BuildFailed, StepFailed."""
        wanted = self._wanted(code, language)
        if not wanted:
            return None
        for owner in ("", namespace):
            key = layer_key(wanted, owner)
            if self._store.find(self._kind, key):
                on_line(f"== packages: {len(wanted)} requirements, made before")
                return key
        with self._store.aside(self._kind) as folder:
            target, wheels = folder / "layer", folder / "wheels"
            wheels.mkdir()
            seal(wheels)
            ran_package_code = await self._install(wanted, folder, on_line)
            await asyncio.to_thread(seal, target)
            shutil.move(target, folder.with_name(folder.name + "-layer"))
            made = folder.with_name(folder.name + "-layer")
            key = layer_key(wanted, namespace if ran_package_code else "")
            self._store.keep(self._kind, key, made)
            return key

    @staticmethod
    def _wanted(code: Path, language: Language) -> list[str]:
        """Sorted requirements of the first dependency file that lies in the root of the code."""
        for name in language.dependency_files:
            file = code / name
            if not file.is_file() or file.is_symlink():
                continue
            if file.stat().st_size > LONGEST_BYTES:
                raise BuildFailed(f"{name} is larger than {LONGEST_BYTES // 1024} KiB")
            try:
                text = file.read_text("utf-8")
            except UnicodeDecodeError:
                raise BuildFailed(f"{name} is not UTF-8 text") from None
            return sorted(from_pyproject(text) if name == "pyproject.toml" else from_requirements_txt(text))
        return []

    async def _install(self, wanted: list[str], folder: Path, on_line: Callable[[str], None]) -> bool:
        """Fill ``folder/layer``; whether package code ran for it."""
        built: set[str] = set()
        while True:
            try:
                await self._fetch(wanted, folder / "layer", folder / "wheels", on_line)
            except StepFailed as error:
                name = _needs_build("\n".join(error.lines))
                if name is None or name in built or len(built) >= MOST_SOURCE_PACKAGES:
                    raise
                built.add(name)
                await self._build_wheel(name, _version_of(name, wanted), folder, on_line)
            else:
                return bool(built)

    async def _fetch(self, wanted: list[str], target: Path, wheels: Path, on_line: Callable[[str], None]) -> None:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        listed = target.parent / "requirements.txt"
        listed.write_text("\n".join(wanted) + "\n", "utf-8")
        listed.chmod(0o644)  # whatever the umask: a sandbox reads it under another uid
        argv = (
            UV, "pip", "install", "--no-config", "--no-cache", "--only-binary", ":all:", "--compile-bytecode",
            "--python", str(interpreter()), "--target", "/ffx/layer", "--find-links", "/ffx/wheels",
            "-r", "/ffx/requirements.txt",
        )  # fmt: skip
        binds = (
            read_only(listed, "/ffx/requirements.txt"),
            read_only(wheels, "/ffx/wheels"),
            writable(target, "/ffx/layer"),
        )
        await self._jobs.run(self._step("fetch packages", argv, binds, network=True), on_line)

    async def _build_wheel(self, name: str, version: str, folder: Path, on_line: Callable[[str], None]) -> None:
        """A package without a wheel: fetch its source, ask it what it needs to build, fetch that, build it; offline in between."""
        source, tools, wheel = folder / "source", folder / "tools", folder / "wheel"
        for path in (source, tools, wheel):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
        python = (str(interpreter()), "-I")
        script = (read_only(Path(__file__).with_name("in_sandbox"), STEPS),)
        fetch = (*python, f"{STEPS}/fetch_source.py", name, version, "/ffx/source")
        await self._jobs.run(
            self._step(f"fetch the source of {name}", fetch, (*script, writable(source, "/ffx/source")), network=True),
            on_line,
        )
        await asyncio.to_thread(seal, source)
        seal(tools)
        ask = (*python, f"{STEPS}/build_wheel.py", "requires", "/ffx/source", "/ffx/tools", "/ffx/wheel")
        static: list[str] = []
        for _ in range(2):  # what pyproject.toml lists, then what the backend asks for on top
            binds = (
                *script,
                read_only(source, "/ffx/source"),
                read_only(tools, "/ffx/tools"),
                writable(wheel, "/ffx/wheel"),
            )
            await self._jobs.run(self._step(f"ask {name} what its build needs", ask, binds), on_line)
            needs = _read_needs(wheel / "requires.json", name)
            if needs == static:
                break
            static = needs
            await self._fetch(needs, tools, folder / "wheels", on_line)
            await asyncio.to_thread(seal, tools)
        build = (*python, f"{STEPS}/build_wheel.py", "build", "/ffx/source", "/ffx/tools", "/ffx/wheel")
        await self._jobs.run(self._step(f"build {name}", build, binds), on_line)
        for path in wheel.glob("*.whl"):
            if path.is_file() and not path.is_symlink():
                shutil.copyfile(path, folder / "wheels" / path.name, follow_symlinks=False)
        await asyncio.to_thread(seal, folder / "wheels")

    def _step(self, title: str, argv: tuple[str, ...], binds: tuple[object, ...], *, network: bool = False) -> Step:
        env = {"HOME": "/tmp", "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy"}  # noqa: S108
        shown = [*binds, read_only(Path(find_uv_bin()), UV)]
        if network:
            env |= self._registries.environment(CERTIFICATES)
            if self._registries.certificates is not None:
                shown.append(read_only(self._registries.certificates, CERTIFICATES))
        return Step(title, argv, env, tuple(shown), network=network)  # type: ignore[arg-type]


def _needs_build(text: str) -> str | None:
    """The package that uv names when it has no wheel (its message is wrapped: spaces are folded)."""
    found = _NEEDS_BUILD.search(re.sub(r"\s+", " ", text))
    return (found.group("hint") or found.group("name")).lower() if found else None


def _version_of(name: str, wanted: list[str]) -> str:
    """The version specifier of a requirement, "" where it has none or is not named by the function itself."""
    for line in wanted:
        found = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*([^;]*)", line.split(" --hash=")[0])
        if found and re.sub(r"[-_.]+", "-", found.group(1)).lower() == re.sub(r"[-_.]+", "-", name).lower():
            return found.group(2).strip()
    return ""


def _read_needs(file: Path, name: str) -> list[str]:
    """What strangers' code wrote: strings that are clean requirements, or the build fails."""
    try:
        listed = (
            json.loads(file.read_text("utf-8"))
            if not file.is_symlink() and file.stat().st_size < LONGEST_BYTES
            else None
        )
    except (OSError, ValueError):
        listed = None
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise BuildFailed(f"{name}: its build does not say what it needs")
    return sorted(set(from_requirements_txt("\n".join(one.replace("\n", " ") for one in listed))))
