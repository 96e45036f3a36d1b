"""What this machine can do for an embedded platform, each point with its cure (``ffx doctor``)."""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faasioflex.model.errors import FfxError
from faasioflex.platform import binaries
from faasioflex.platform.folder import DataFolder
from faasioflex.platform.lock import holder
from faasioflex.platform.settings import Settings
from faasioflex.platform.supervisor.ports import GatewayPort, loopback

MIB = 1024 * 1024
Level = Literal["ok", "warning", "error"]
LEAST_DISK_BYTES, GOOD_DISK_BYTES = 200 * MIB, 2048 * MIB
GOOD_MEMORY_BYTES = 512 * MIB
LEAST_FILES, GOOD_FILES = 256, 4096


@dataclass(frozen=True)
class Finding:
    """``cure`` says what to do; empty where all is well. ``error``: the platform does not run without it."""

    name: str
    level: Level
    detail: str
    cure: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; nothing is changed. Takes about a second: the programs are started once."""
    folder = settings.folder
    found = [_python(), _system()]
    found += [
        _program(name, locate, argument)
        for name, locate, argument in (
            ("nats-server", binaries.nats_server, "--version"),
            ("envoy", binaries.envoy, "--version"),
            ("bubblewrap", binaries.bubblewrap, "--version"),
        )
    ]
    found += [_folder(folder), _disk(folder), _memory(), _files(), _port(settings)]
    return found


def _python() -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} at {sys.executable}")


def _system() -> Finding:
    text = f"{platform.system()} {platform.release()} {platform.machine()}"
    if sys.platform.startswith("linux"):
        return Finding("system", "ok", text)
    return Finding(
        "system", "warning", text, "There are no sandboxes outside Linux: 'ffx up --runtime process' runs trusted code."
    )


def _program(name: str, locate: Callable[[], Path], argument: str) -> Finding:
    try:
        path = locate()
        done = subprocess.run([path, argument], capture_output=True, text=True, check=False, timeout=20)
    except FfxError as error:
        return Finding(name, "error", error.message, "Run 'make install'.")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(name, "error", f"{error}", "The program of the wheel does not run on this machine.")
    lines = (done.stdout + done.stderr).strip().splitlines()
    first = next((line.strip() for line in lines if line.strip()), "")
    if done.returncode != 0:
        return Finding(name, "error", first, "The program of the wheel does not run on this machine.")
    return Finding(name, "ok", _version(first))


def _version(line: str) -> str:
    """Of ``nats-server: v2``, ``bubblewrap 0.11``, ``…  version: HASH/1.40.0/Clean/RELEASE/BoringSSL`` the number."""
    match = re.search(r"(?<![0-9a-f])v?(\d+\.\d+\.\d+)", line)
    return match[1] if match else line


def _folder(folder: DataFolder) -> Finding:
    pid = holder(folder) if folder.run.is_dir() and os.access(folder.run, os.X_OK) else None
    if pid is not None:
        return Finding("data folder", "ok", f"{folder.root}, in use by the platform with pid {pid}")
    there = _nearest(folder.root)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Finding("data folder", "error", f"{there} cannot be written", "Name another folder with --data.")
    return Finding("data folder", "ok", str(folder.root))


def _disk(folder: DataFolder) -> Finding:
    free = shutil.disk_usage(_nearest(folder.root)).free
    text = f"{free // MIB:,} MiB free at {folder.root}"
    if free < LEAST_DISK_BYTES:
        return Finding("disk", "error", text, "Free some space, or name another folder with --data.")
    if free < GOOD_DISK_BYTES:
        return Finding("disk", "warning", text, "Builds and logs want 2 GiB.")
    return Finding("disk", "ok", text)


def _memory() -> Finding:
    import psutil

    free = psutil.virtual_memory().available
    text = f"{free // MIB:,} MiB available"
    if free < GOOD_MEMORY_BYTES:
        return Finding("memory", "warning", text, "The platform takes about 250 MiB, each function its own.")
    return Finding("memory", "ok", text)


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else 1 << 20
    text = f"{soft:,} open files per process, {most:,} at most"
    if most < LEAST_FILES:
        return Finding("open files", "error", text, "Raise 'nofile' in /etc/security/limits.conf.")
    if most < GOOD_FILES:
        return Finding("open files", "warning", text, "Many connections need more: raise 'nofile'.")
    return Finding("open files", "ok", text)


def _port(settings: Settings) -> Finding:
    port = GatewayPort(settings.folder)
    where = f"{settings.host}:{settings.port or 'any free'}"
    try:
        host = loopback(settings.host)
        if settings.port and not (settings.folder.platform_json.exists()):
            port.reserve(host, settings.port)
    except FfxError as error:
        return Finding("port", "error", error.message, "'ffx up --port 0' takes a free one.")
    finally:
        port.close()
    return Finding("port", "ok", where)


def _nearest(path: Path) -> Path:
    """The path itself or the nearest folder above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
