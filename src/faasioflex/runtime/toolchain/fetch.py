"""Getting a toolchain from its wheel: with uv, from where this machine's other Python packages come, checked by hash."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

from uv import find_uv_bin

from faasioflex.model.errors import Unavailable
from faasioflex.runtime.registries import machine_registries
from faasioflex.runtime.toolchain.machine import of_machine, version_of
from faasioflex.runtime.toolchain.need import Need
from faasioflex.runtime.toolchain.store import fetched, folder_of, lock_of, sweep
from faasioflex.runtime.toolchain.toolchain import Toolchain
from faasioflex.runtime.toolchain.turn import turn

OnLine = Callable[[str], None]
TRY_AGAIN_S = 15
_TELL_EVERY_S = 1.0
_MB = 1_000_000
_QUOTED_LINES = 8
_PROGRESS = ("Using ", "Resolved ", "Downloading ", "Prepared ")
_SIZE = re.compile(r"^Downloading \S+ \(([^)]+)\)")
_NOT_FOR_UV = frozenset({"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UV_TARGET", "UV_PREFIX", "UV_SYSTEM_PYTHON"})


def find(need: Need) -> Toolchain | None:
    """The machine's if it is suitable, else one that was fetched before. Never uses the network."""
    return of_machine(need) or fetched(need)


def ensure(need: Need, on_line: OnLine) -> Toolchain:
    """As :func:`ensure_async`, for callers without an event loop."""
    return find(need) or asyncio.run(ensure_async(need, on_line))


async def ensure_async(need: Need, on_line: OnLine) -> Toolchain:
    """Find it, or fetch it; ``on_line`` is told how far it is. Cancelled, it leaves nothing.

    Raises: Unavailable where it cannot be had now; trying again later may help.
    """
    found = await asyncio.to_thread(find, need)
    if found is not None:
        return found
    title = f"{need.name} {need.version}"
    try:
        async with turn(lock_of(need), lambda: on_line(f"waiting for {title}, which another process fetches")) as lock:
            found = fetched(need)  # by whoever had the lock before us
            return found or await _fetch(need, on_line, lock)
    except OSError as error:
        raise _unavailable(need, f"{error.filename or folder_of(need).parent}: {error.strerror}") from error


async def _fetch(need: Need, on_line: OnLine, lock: int) -> Toolchain:
    sweep(need)
    place = folder_of(need)
    aside = Path(tempfile.mkdtemp(prefix=f".tmp-{place.name}-", dir=place.parent))
    try:
        on_line(f"fetching {need.name} {need.version} (first use, about {need.size_mb} MB on disk)")
        await _install(need, aside, on_line, lock)
        made = aside / "made"
        await asyncio.to_thread(_readable_by_all, made)
        version = await asyncio.to_thread(version_of, need, made / need.inside / need.program)
        if version != need.version:
            raise _unavailable(need, f"the program of {need.wheel} does not run on this machine")
        shutil.rmtree(place, ignore_errors=True)  # it is not whole, see fetched()
        made.rename(place)
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, aside, ignore_errors=True))
    on_line(f"fetched {need.name} {need.version}")
    found = fetched(need)
    if found is None:
        raise _unavailable(need, f"{need.wheel} has no {need.inside}/{need.program}")
    return found


async def _install(need: Need, aside: Path, on_line: OnLine, lock: int) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_UV}
    environment |= machine_registries(os.environ, Path.home()).environment_here()
    environment |= {"UV_CACHE_DIR": str(aside / "cache"), "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    process = await asyncio.create_subprocess_exec(
        find_uv_bin(), "pip", "install", "--python", sys.executable, "--target", aside / "made", "--no-deps",
        "--require-hashes", "--only-binary", ":all:", "--color", "never", "-r", need.lock,
        cwd=aside,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        pass_fds=(lock,),  # should we be killed, the next one waits for its end before it sweeps
    )  # fmt: skip
    said: list[str] = []
    teller = asyncio.create_task(_tell_progress(need, aside, on_line, said))
    try:
        async for line in cast(asyncio.StreamReader, process.stdout):
            said.append(line.decode(errors="replace").rstrip())
        if await process.wait() != 0:
            words = [line.strip() for line in said if line.strip() and not line.startswith(_PROGRESS)]
            raise _unavailable(need, "\n".join(words[-_QUOTED_LINES:]))
    finally:
        teller.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _tell_progress(need: Need, aside: Path, on_line: OnLine, said: list[str]) -> None:
    while True:
        await asyncio.sleep(_TELL_EVERY_S)
        sizes = [found[1] for found in map(_SIZE.match, said) if found]
        of = f" ({sizes[0]} to download)" if sizes else ""
        unpacked = await asyncio.to_thread(_used_bytes, aside)
        on_line(f"fetching {need.name} {need.version}{of}: {unpacked / _MB:.0f} of about {need.size_mb} MB unpacked")


def _used_bytes(folder: Path) -> int:
    """Each file once: uv links what it installs to its cache."""
    sizes: dict[int, int] = {}
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                status = os.lstat(os.path.join(root, name))
            except OSError:
                continue  # it was renamed meanwhile
            sizes[status.st_ino] = status.st_size
    return sum(sizes.values())


def _readable_by_all(folder: Path) -> None:
    """Whatever the umask: functions run as other uids."""
    for root, _, files in os.walk(folder):
        os.chmod(root, 0o755)  # noqa: S103
        for name in files:
            path = Path(root, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def _unavailable(need: Need, why: str) -> Unavailable:
    return Unavailable(
        f"{need.name} {need.version} is needed and cannot be fetched ({need.wheel}): {why}\n"
        f"It is tried again; or install {need.name} {need.suitable} on this machine so that it is in the platform's PATH",
        retry_after_s=TRY_AGAIN_S,
    )
