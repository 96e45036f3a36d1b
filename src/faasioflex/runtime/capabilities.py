"""What this machine can do for the platform, each with the cure where it cannot: behind ``ffx doctor`` and ``ffx up``."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faasioflex.runtime.language import interpreter, language_folders
from faasioflex.runtime.launcher import folders
from faasioflex.runtime.sandbox import cgroups, seccomp
from faasioflex.runtime.sandbox.program import locate
from faasioflex.runtime.sandbox.trial import overlay_problem, sandbox_problem

Level = Literal["ok", "warn", "fail"]
GIB = 1024 * 1024 * 1024
_NPROC_PER_NAMESPACE = (5, 14)  # before this Linux, RLIMIT_NPROC counts all processes of the user
_ENOUGH_FILES = 4096


@dataclass(frozen=True)
class Finding:
    """``cure``: what to type or to change, where it is not ok."""

    name: str
    level: Level
    detail: str
    cure: str | None = None


async def probe(
    data: Path,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    mode: str = "sandbox",
    wanted: Path | None = None,
) -> list[Finding]:
    """Look at everything; takes well under a second and leaves nothing behind. ``port`` None or 0 is not looked at.

    ``wanted``: the setting memory_folder. A ``fail`` means that ``ffx up`` with that ``mode`` would not work.
    """
    found = []
    if mode == "sandbox":
        found += [
            await sandboxes(),
            seccomp_filter(),
            control_groups(),
            process_limit(),
            await overlays(),
            readable_runtimes(),
        ]
    found += [memory_folder(data, wanted), disk(data), memory(), open_files(), hidden_processes()]
    if port:
        found.append(free_port(host, port))
    return found


async def sandboxes() -> Finding:
    """User namespaces, and bubblewrap in one: by making a sandbox."""
    if sys.platform != "linux":
        return Finding(
            "sandboxes", "fail", "sandboxes need Linux", "use --runtime process: no isolation, for debugging"
        )
    problem = await sandbox_problem()
    if problem is None:
        return Finding("sandboxes", "ok", "a sandbox starts and ends")
    return Finding("sandboxes", "fail", f"no sandbox can be made: {problem}", userns_cure(Path("/proc/sys")))


def userns_cure(sysctls: Path) -> str:
    """What forbids user namespaces on this machine, and how it is lifted."""

    def is_set(name: str, value: str) -> bool:
        try:
            return (sysctls / name).read_text().strip() == value
        except OSError:
            return False

    if is_set("user/max_user_namespaces", "0"):
        return "sudo sysctl -w user.max_user_namespaces=15000 (and the same line in /etc/sysctl.d/60-ffx.conf)"
    if is_set("kernel/unprivileged_userns_clone", "0"):
        return "sudo sysctl -w kernel.unprivileged_userns_clone=1 (and the same line in /etc/sysctl.d/60-ffx.conf)"
    if is_set("kernel/apparmor_restrict_unprivileged_userns", "1"):
        try:
            program = str(locate().path)
        except OSError:
            program = "/path/to/bwrap"
        return (
            "AppArmor allows user namespaces to named programs only. Name this one: printf 'abi <abi/4.0>,\\n"
            f"include <tunables/global>\\nprofile ffx-bwrap {program} flags=(unconfined) {{\\n  userns,\\n}}\\n' "
            "| sudo tee /etc/apparmor.d/ffx-bwrap && sudo apparmor_parser -r /etc/apparmor.d/ffx-bwrap "
            "(or, for all programs: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0)"
        )
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return "this is a container: start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --cap-add SYS_ADMIN"
    if os.geteuid() == 0:
        return "run ffx as a plain user; as root it needs CAP_SYS_ADMIN, CAP_SETUID and uids above 1,900,000,000"
    return (
        "ask the administrator for unprivileged user namespaces, or use --runtime process (no isolation, for debugging)"
    )


def memory_folder(data: Path, wanted: Path | None = None) -> Finding:
    """Where secrets and tokens of running functions are: nowhere on a disk."""
    try:
        place = folders.memory_folder(data, wanted)
    except OSError as error:
        return Finding(
            "secrets in memory", "fail", str(error), "mount a tmpfs at /dev/shm, or name one as memory_folder"
        )
    return Finding("secrets in memory", "ok", f"files of running functions are in {place.parent}")


def seccomp_filter() -> Finding:
    try:
        seccomp.program_files(memory_is_counted=True)
    except OSError as error:
        return Finding("seccomp", "fail", str(error), "use a machine of one of these kinds, or --runtime process")
    if not Path("/proc/sys/kernel/seccomp/actions_avail").exists():
        return Finding(
            "seccomp", "fail", "this kernel has no seccomp filters", "use a kernel with CONFIG_SECCOMP_FILTER"
        )
    return Finding("seccomp", "ok", "system calls are filtered")


def control_groups() -> Finding:
    """Which limits the kernel keeps, and which are only watched."""
    available = cgroups.available()
    version, controllers = available or (None, frozenset())
    missing = []
    if "memory" not in controllers:
        missing.append("memory is watched by polling (a burst may pass its limit for 0.2 s)")
    if "cpu" not in controllers:
        missing.append("CPU cannot be limited")
    kind = f"version {version}: {', '.join(sorted(controllers))}" if version else "none"
    if not missing:
        return Finding("control groups", "ok", kind)
    cure = (
        "mount the memory, cpu and pids controllers"
        if os.geteuid() == 0
        else "systemd-run --user --scope -p Delegate=yes ffx up (where systemd has control groups version 2)"
    )
    return Finding("control groups", "warn", f"{kind}; {'; '.join(missing)}", cure)


def process_limit() -> Finding:
    release = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2] if part.isdigit())
    if os.geteuid() == 0 or release >= _NPROC_PER_NAMESPACE:
        return Finding("process limit", "ok", "each sandbox has its own")
    detail = "this kernel counts processes per user: a sandbox may be refused one because others have many"
    return Finding("process limit", "warn", detail, "use Linux 5.14 or newer, or run as root")


async def overlays() -> Finding:
    problem = await overlay_problem()
    if problem is None:
        return Finding("overlays", "ok", "a sandbox can see a folder with its own changes over it")
    return Finding("overlays", "warn", f"none in a sandbox: {problem}", "use Linux 5.11 or newer")


def readable_runtimes() -> Finding:
    """As root, sandboxes have uids of their own: what they load must be readable for others."""
    if os.geteuid() != 0:
        return Finding("runtime files", "ok", "sandboxes run as this user")
    folders = language_folders().values()
    files = [interpreter(), *(path for folder in folders for path in (folder, *folder.rglob("*")))]
    closed = [path for path in files if not _readable_for_others(path)]
    if not closed:
        return Finding("runtime files", "ok", "readable for sandboxes")
    return Finding(
        "runtime files",
        "fail",
        f"others may not read {closed[0]} ({len(closed)} in all)",
        f"chmod -R o+rX {' '.join(str(folder) for folder in folders)}",
    )


def _readable_for_others(path: Path) -> bool:
    mode = path.stat().st_mode
    wanted = 0o005 if stat.S_ISDIR(mode) else 0o004
    return mode & wanted == wanted


def disk(data: Path) -> Finding:
    place = next(folder for folder in (data, *data.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    detail = f"{free / GIB:.1f} GiB free for {data}"
    if free < GIB / 4:
        return Finding("disk", "fail", detail, "free some space, or use --data on another disk")
    if free < 2 * GIB:
        return Finding("disk", "warn", detail, "builds and logs may fill it: free some space")
    return Finding("disk", "ok", detail)


def memory() -> Finding:
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        available = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return Finding("memory", "ok", "not told by this system")
    detail = f"{available / GIB:.1f} GiB available"
    if available < GIB / 2:
        return Finding("memory", "warn", detail, "the platform takes about 0.4 GiB, each instance its own on top")
    return Finding("memory", "ok", detail)


def open_files() -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= _ENOUGH_FILES:
        return Finding("open files", "ok", "unlimited" if hard == resource.RLIM_INFINITY else f"{hard} per process")
    return Finding(
        "open files", "warn", f"{hard} per process: few connections at once", f"ulimit -Hn {_ENOUGH_FILES} or more"
    )


def hidden_processes() -> Finding:
    """With ``hidepid`` a plain user sees only its own processes; that is all the launcher needs."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return Finding("processes", "ok", "not told by this system")
    if (
        any(" /proc " in line and "hidepid=" in line and "hidepid=0" not in line for line in mounts)
        and os.geteuid() != 0
    ):
        return Finding("processes", "ok", "those of other users are hidden, ours are seen")
    return Finding("processes", "ok", "all are seen")


def free_port(host: str, port: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            return Finding(
                "port",
                "fail",
                f"{host}:{port} cannot be had: {error.strerror}",
                "use --port N, or --port 0 for a free one",
            )
    return Finding("port", "ok", f"{host}:{port} is free")
