"""What an instance runs in: its box, and what is made outside for it beforehand: the listening socket, the folder of files, the log."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from faasioflex.runtime.isolation import Box
from faasioflex.runtime.launcher.folders import InstanceFolder
from faasioflex.runtime.launcher.instance_log import InstanceLog
from faasioflex.runtime.launcher.order import LISTENER, REPORT

_BACKLOG = 1024  # connections that wait in the socket while it starts


class Vessel:
    """``path``: of its socket; ``folder``: of its files. Begun once, cleared once."""

    def __init__(self, box: Box, path: Path, folder: InstanceFolder, log: InstanceLog) -> None:
        self.box = box
        self.bound = path  # as the kernel knows it, also when it was renamed
        self.path = path
        self.folder = folder
        self.log = log

    async def begin(self, files: Mapping[str, bytes], more: Mapping[int, int] | None = None) -> asyncio.Future[int]:
        """Start the box, which is handed ``more`` descriptors too (number inside -> ours). The future: of the box's end.

        Its socket accepts connections from here on; they wait until the runtime takes them.
        Raises: OSError or ValueError where it cannot be started; nothing of it is left then.
        """
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        listener = _listen(self.path)
        try:
            self.folder.hand_over(self.box.uid)
            self.give(files)
            stdout, stderr, report = self.log.handed
            handed = {0: null, 1: stdout, 2: stderr, LISTENER: listener.fileno(), REPORT: report}
            ended = await self.box.begin({**handed, **(more or {})})
        except (OSError, ValueError):
            await self.clear()
            self.box.close()
            raise
        finally:
            os.close(null)
            listener.close()  # ours: a dead instance refuses connections, instead of leaving them waiting
        self.log.handed_over()
        return ended

    def give(self, files: Mapping[str, bytes]) -> None:
        """Its files are these from now on. Raises: OSError."""
        self.log.masking.hide(files.values())
        self.folder.write(files)

    def rename(self, instance: str) -> None:
        """What is outside is named after that instance from now on; inside nothing changes. Raises: OSError."""
        self.path = self.path.rename(self.path.with_name(f"{instance}.sock"))
        self.folder.rename(instance)

    async def clear(self) -> None:
        """After its end: what is outside of the box goes."""
        self.folder.remove()
        await self.log.finish()
        self.path.unlink(missing_ok=True)


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)
    return listener
