"""Folders that a job may write when it runs as a host uid of its own: they belong to that uid for as long as it runs."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

_PIECE = 200  # entries between two looks at the event loop


async def hand_over(folder: Path, uid: int, gid: int) -> None:
    """Give ``folder`` and all in it to ``uid``. Links themselves, never what they point to; set-uid bits go with the change.

    Nobody else may write there at the same time: it is called before a job's processes are, and after they were.
    """
    os.chown(folder, uid, gid, follow_symlinks=False)
    done = 0
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with suppress(FileNotFoundError):  # whoever asked for a job that was cut short removes the folder
                os.chown(os.path.join(root, name), uid, gid, follow_symlinks=False)
            done += 1
            if done % _PIECE == 0:
                await asyncio.sleep(0)
