"""What a killed platform left behind in its folder: processes and sockets. Called with the folder's lock held."""

from __future__ import annotations

import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from faasioflex.model.errors import Unavailable
from faasioflex.platform.folder import DataFolder
from faasioflex.platform.supervisor.spawn import PART_VARIABLE, start_ticks

GONE_WITHIN_S = 5.0
OURS = (f"{PART_VARIABLE}=".encode(), b"FFX_INSTANCE=")  # of parts, of what runs in sandboxes


@dataclass(frozen=True)
class Leftover:
    """One process: ``started`` (clock ticks since boot) keeps a pid that was taken over by somebody else from harm."""

    pid: int
    started: int
    command: str


def find(folder: DataFolder) -> list[Leftover]:
    """Processes of this installation, apart from this process and its ancestors.

    Ours are those with FFX_DATA and either FFX_PART or FFX_INSTANCE in the environment (children of the supervisor, what they
    started, functions), and bubblewraps that have the folder among their arguments. A shell that merely exports FFX_DATA, or an
    editor that has a file of the folder open, is not ours.
    """
    if not Path("/proc/self/stat").exists():
        return []  # not Linux: nothing to look through
    spared = _ancestors()
    mark = f"FFX_DATA={folder.root}".encode()
    inside = f"{folder.root}/".encode()
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal() or int(entry.name) in spared:
            continue
        pid = int(entry.name)
        started = start_ticks(pid)
        arguments = _read(pid, "cmdline").split(b"\0")
        if started is None or arguments == [b""]:
            continue
        environment = _read(pid, "environ").split(b"\0")
        marked = mark in environment and any(e.startswith(OURS) for e in environment)
        sandbox = os.path.basename(arguments[0]) == b"bwrap" and any(inside in a + b"/" for a in arguments[1:])
        if marked or sandbox:
            found.append(Leftover(pid, started, b" ".join(arguments).decode(errors="replace")[:120].strip()))
    return found


def end(left: list[Leftover]) -> None:
    """SIGKILL each of them and wait until it is gone. Raises Unavailable naming one that stays."""
    deadline = time.monotonic() + GONE_WITHIN_S
    for process in left:
        _kill(process)
    for process in left:
        while start_ticks(process.pid) == process.started:
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"Process {process.pid} of the platform before is still there and cannot be ended: {process.command}. "
                    "End it as the user that started it, then start again."
                )
            time.sleep(0.01)


def remove_sockets(folder: DataFolder) -> None:
    """Sockets that nobody listens on any more, and what said that a platform runs."""
    folder.platform_json.unlink(missing_ok=True)
    for place in (folder.sockets, folder.instance_sockets):
        if place.is_dir():
            for path in place.iterdir():
                if path.is_socket():
                    path.unlink(missing_ok=True)


def remove_socket_folder(folder: DataFolder) -> None:
    """Where the sockets have a folder elsewhere, because the data folder's name is too long: the last thing of a run."""
    if folder.sockets != folder.run:
        shutil.rmtree(folder.sockets, ignore_errors=True)


def _kill(process: Leftover) -> None:
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return  # gone meanwhile
    try:
        if start_ticks(process.pid) == process.started:  # the handle is of this process: the pid cannot change under it
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise Unavailable(
            f"Process {process.pid} of the platform before belongs to another user: {process.command}"
        ) from error
    finally:
        os.close(handle)


def _ancestors() -> set[int]:
    found, pid = set(), os.getpid()
    while pid > 0 and pid not in found:
        found.add(pid)
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            break
        pid = int(text[text.rindex(")") + 2 :].split()[1])
    return found


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
