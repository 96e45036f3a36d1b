"""What the child does between fork and exec of bubblewrap: limits, and as root another uid and a view that it can reach.

A host uid of its own cannot traverse the platform's data folder, nor a Python or virtual environment in root's home, and
bubblewrap resolves every source path as that uid (``--ro-bind-fd`` included). So, in a mount namespace that dies with the
sandbox, the sources are bound below a small tmpfs over /tmp first; bubblewrap then takes them from there.
"""

from __future__ import annotations

import os
import resource
import signal
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faasioflex.runtime import linux

STAGE = "/tmp"  # noqa: S108  (covered by a tmpfs of our own in a namespace of our own)
OPEN_FILES = 4096
_FILE_SLACK_BYTES = 1024 * 1024  # the tmpfs is full before RLIMIT_FSIZE strikes
_OOM_SCORE = 500  # when the whole machine is out of memory, functions go before the platform


def staged(index: int) -> str:
    """Where the source number ``index`` is reached by the sandbox's uid."""
    return f"{STAGE}/{index}"


@dataclass(frozen=True)
class Preparation:
    """``uid`` None: stay who we are (then nothing is staged, and the process limit comes later, see sandbox)."""

    launcher: int
    join: Sequence[Path]
    sources: Sequence[Path]
    uid: int | None
    processes: int
    disk_bytes: int
    patient: bool = False

    def __call__(self) -> None:
        for file in self.join:
            file.write_text("0", "ascii")
        score = Path("/proc/self/oom_score_adj")
        if int(score.read_text("ascii")) < _OOM_SCORE:  # what was set higher only a privileged process may lower
            score.write_text(str(_OOM_SCORE), "ascii")
        if self.patient:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
        _limit(resource.RLIMIT_FSIZE, self.disk_bytes + _FILE_SLACK_BYTES)
        if self.uid is not None:
            stage(self.sources)
            _limit(resource.RLIMIT_NPROC, self.processes)
            os.setgroups([])
            os.setresgid(self.uid, self.uid, self.uid)
            os.setresuid(self.uid, self.uid, self.uid)
        linux.die_with_parent(signal.SIGKILL, self.launcher)


def stage(sources: Sequence[Path]) -> None:
    """Bind every source at ``staged(its index)``, in a mount namespace that only this process has."""
    linux.own_mounts()
    opened = [os.open(source, os.O_PATH | os.O_CLOEXEC) for source in sources]  # before /tmp is covered
    linux.mount_tmpfs(STAGE, "mode=755,size=1m")
    for index, descriptor in enumerate(opened):
        target = staged(index)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.mkdir(target, 0o755)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
        linux.bind_mount(descriptor, target)


def _limit(kind: int, value: int) -> None:
    """Lower a limit for good; where the machine's is lower already, that stays."""
    _, hard = resource.getrlimit(kind)
    least = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (least, least))
