"""The ``process`` isolation: none. For macOS and for debugging a runtime; strangers' code runs as the platform's user."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from faasioflex.runtime import linux
from faasioflex.runtime.children import Children
from faasioflex.runtime.egress.messages import Denial
from faasioflex.runtime.isolation import Order, Shown, Verdict, cpu_is_fixed, over_memory, uses_more
from faasioflex.runtime.processes import ProcessTable, memory_of
from faasioflex.runtime.spawn import Spawn, spawn
from faasioflex.runtime.verdicts import of_exit, of_signal

_IS_LINUX = sys.platform == "linux"
_OPEN_FILES = 4096


class Processes:
    """Boxes that are process groups."""

    needs_process_table = True
    relayed = False
    warning = (
        "NO ISOLATION: functions and builds run as plain processes of this user, with its files and its network. "
        "For debugging and macOS only; start the platform without --runtime process for sandboxes."
    )

    def __init__(self, children: Children) -> None:
        self._children = children
        if _IS_LINUX:
            linux.load()

    def box(self, order: Order, on_denial: Callable[[Denial], None]) -> ProcessBox:
        """Nothing is denied: it has the user's own network."""
        return ProcessBox(order, self._children)

    def tidy(self) -> None:
        """Nothing stays behind a process."""

    def close(self) -> None:
        """Nothing is held."""


class ProcessBox:
    """A process group in a session of its own. What a sandbox shows at ``/ffx/…`` is translated to the host's paths."""

    uid = None

    def __init__(self, order: Order, children: Children) -> None:
        self._order = order
        self._memory_bytes = order.memory_bytes
        self._children = children
        self._leader: int | None = None
        self._tmp = Path(tempfile.mkdtemp(prefix="ffx-"))

    async def begin(self, handed: Mapping[int, int]) -> asyncio.Future[int]:
        order, launcher = self._order, os.getpid()
        cwd = translate(order.cwd, order.shown)
        argv = [translate(part, order.shown) for part in order.argv]
        env = {name: translate(value, order.shown) for name, value in order.env.items()}
        env |= {name: str(self._tmp) for name in ("HOME", "TMPDIR") if env.get(name) == "/tmp"}  # noqa: S108
        program = shutil.which(argv[0], path=env["PATH"]) or argv[0]

        def prepare() -> None:
            os.setsid()
            for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, _OPEN_FILES)):
                _, hard = resource.getrlimit(kind)
                resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
            if _IS_LINUX:
                linux.die_with_parent(signal.SIGKILL, launcher)
            os.chdir(cwd)

        self._leader = spawn(Spawn(executable=program, argv=argv, env=env, handed=handed, prepare=prepare))
        return self._children.ended(self._leader)

    def ready(self) -> None:
        """No CPU limit without control groups."""

    def resize(self, memory_bytes: int, cpu: float) -> None:
        if cpu != self._order.cpu:
            raise cpu_is_fixed()
        used = memory_of(ProcessTable.scan().tree(self._leader or 0), memory_bytes)
        if used > memory_bytes:
            raise uses_more(used, memory_bytes)
        self._memory_bytes = memory_bytes

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP, whole_group=True)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT, whole_group=True)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM, whole_group=False)

    def kill(self) -> None:
        self._signal(signal.SIGKILL, whole_group=True)

    def _signal(self, number: signal.Signals, *, whole_group: bool) -> None:
        if self._leader is not None:
            try:
                (os.killpg if whole_group else os.kill)(self._leader, number)
            except (ProcessLookupError, PermissionError):
                return  # ended already; macOS refuses for a group of zombies

    def excess(self, table: ProcessTable) -> str | None:
        limit = self._memory_bytes
        return over_memory(limit) if memory_of(table.tree(self._leader or 0), limit) > limit else None

    def usage(self, table: ProcessTable) -> tuple[int, float]:
        tree = table.tree(self._leader or 0)
        return memory_of(tree), sum(process.cpu_s for process in tree)

    async def gone(self) -> None:
        self.kill()  # what the leader left in its group

    def verdict(self, exit_code: int) -> Verdict:
        return of_signal(-exit_code) if exit_code < 0 else of_exit(exit_code)

    def close(self) -> None:
        shutil.rmtree(self._tmp, ignore_errors=True)


def translate(text: str, shown: tuple[Shown, ...]) -> str:
    """Replace every path inside by the host's: ``/ffx/code/x`` -> ``/data/builds/…/x``, also in ``a:/ffx/deps``."""
    for item in sorted(shown, key=lambda item: len(item.target), reverse=True):
        whole = rf"(?<![\w./-]){re.escape(item.target)}(?![\w.-])"
        text = re.sub(whole, str(item.source).replace("\\", r"\\"), text)
    return text
