"""A walled network (walled_network.py) with names of its own: ``python named_network.py HOSTS SOCKET COMMAND…``.

HOSTS is shown to COMMAND as /etc/hosts; written anew in place, it changes what a name resolves to.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import walled_network

_NEW_USER, _NEW_NS = 0x10000000, 0x00020000
_REC_PRIVATE, _BIND = 0x4000 | 0x40000, 0x1000


def main(hosts: str, at: str, command: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(_NEW_NS | (0 if uid == 0 else _NEW_USER)) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    for source, target, flags in ((None, b"/", _REC_PRIVATE), (os.fsencode(hosts), b"/etc/hosts", _BIND)):
        if libc.mount(source, target, None, flags, None) != 0:
            raise OSError(ctypes.get_errno(), "mount")
    walled_network.main(at, command)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
