"""What this machine can do for an embedded platform, each point with its cure (``ffx doctor``)."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from faasioflex.model.errors import FfxError, Unavailable
from faasioflex.platform import binaries
from faasioflex.platform.folder import DataFolder
from faasioflex.platform.lock import holder
from faasioflex.platform.settings import Settings
from faasioflex.platform.supervisor.ports import GatewayPort, listen_address
from faasioflex.runtime import capabilities
from faasioflex.runtime.capabilities import Finding
from faasioflex.runtime.language import language, languages
from faasioflex.runtime.toolchain import find
from faasioflex.runtime.toolchain.store import cache_folder


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; nothing is changed. Takes about a second: programs are started and a sandbox is made."""
    folder = settings.folder
    found = [_python()]
    found += [
        _program(name, locate)
        for name, locate in (
            ("nats-server", binaries.nats_server),
            ("envoy", binaries.envoy),
            ("bubblewrap", binaries.bubblewrap),
        )
    ]
    found += _toolchains()
    wanted = Path(settings.memory_folder) if settings.memory_folder else None
    found += asyncio.run(capabilities.probe(folder.root, mode=settings.runtime, wanted=wanted))
    return [*found, _folder(folder), _port(settings)]


def require_sandboxes() -> None:
    """Before a platform is started whose functions could not run. Raises Unavailable with the cure."""
    finding = asyncio.run(capabilities.sandboxes())
    if finding.level == "fail":
        raise Unavailable(f"Functions cannot run here: {finding.detail}. The cure: {finding.cure}. See 'ffx doctor'.")


def _python() -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} at {sys.executable}")


def _program(name: str, locate: Callable[[], Path]) -> Finding:
    try:
        path = locate()
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=20)
    except FfxError as error:
        return Finding(name, "fail", error.message, "Run 'make install'.")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(name, "fail", f"{error}", "The program of the wheel does not run on this machine.")
    lines = (done.stdout + done.stderr).strip().splitlines()
    first = next((line.strip() for line in lines if line.strip()), "")
    if done.returncode != 0:
        return Finding(name, "fail", first, "The program of the wheel does not run on this machine.")
    return Finding(name, "ok", _version(first))


def _toolchains() -> list[Finding]:
    """Of each language that needs one. Nothing is fetched here."""
    found: dict[str, Finding] = {}
    for name in languages():
        need = language(name).toolchain
        if need is None or need.name in found:
            continue
        have = find(need)
        if have is not None:
            detail = f"{have.words}: {have.root}"
        else:
            detail = (
                f"{need.name} {need.version} is fetched at the first use (about {need.size_mb} MB in {cache_folder()}): "
                f"this machine has none that is {need.suitable}"
            )
        found[need.name] = Finding(need.name, "ok", detail)
    return list(found.values())


def _version(line: str) -> str:
    """Of ``nats-server: v2``, ``bubblewrap 0.11``, ``…  version: HASH/1.40.0/Clean/RELEASE/BoringSSL`` the number."""
    match = re.search(r"(?<![0-9a-f])v?(\d+\.\d+\.\d+)", line)
    return match[1] if match else line


def _folder(folder: DataFolder) -> Finding:
    try:
        pid = holder(folder)
    except FfxError as error:
        return Finding("data folder", "fail", error.message, "Name another folder with --data.")
    if pid is not None:
        return Finding("data folder", "ok", f"{folder.root}, in use by the platform with pid {pid}")
    there = _nearest(folder.root)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Finding("data folder", "fail", f"{there} cannot be written", "Name another folder with --data.")
    return Finding("data folder", "ok", str(folder.root))


def _port(settings: Settings) -> Finding:
    port = GatewayPort(settings.folder)
    where = f"{settings.host}:{settings.port or 'any free'}"
    try:
        host = listen_address(settings.host, secure=settings.secure, insecure=settings.insecure_plain_http)
        if settings.port and holder(settings.folder) is None:
            port.reserve(host, settings.port)
    except FfxError as error:
        return Finding("port", "fail", error.message, "'ffx up --port 0' takes a free one.")
    finally:
        port.close()
    return Finding("port", "ok", where)


def _nearest(path: Path) -> Path:
    """The path itself or the nearest folder above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
