"""bubblewrap's arguments for one sandbox: a pure function of what shall be seen in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from faasioflex.runtime.egress.plan import HOSTNAME
from faasioflex.runtime.isolation import Shown
from faasioflex.runtime.sandbox import system

SHARED_MEMORY_BYTES = 16 * 1024 * 1024
_TMP, _SHARED_MEMORY = "/tmp", "/dev/shm"  # noqa: S108  (inside, private)
_TERMINALS = "/dev/pts"
_SMALLEST_TMP_BYTES = 64 * 1024  # tmpfs takes 0 for «no limit»


@dataclass(frozen=True)
class View:
    """All that a sandbox sees and is told. ``etc`` is a folder of :func:`system.make_etc`."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    etc: Path
    shown: tuple[Shown, ...]
    tmp_bytes: int

    @property
    def sources(self) -> tuple[Path, ...]:
        """Every host path it shows beside the system's, in the order of :func:`arguments`' ``paths``."""
        return (self.etc, *(item.source for item in self.shown))

    @property
    def memory_places(self) -> dict[str, int]:
        """Path inside -> size in bytes of each file system that is memory of its own."""
        return {_SHARED_MEMORY: SHARED_MEMORY_BYTES, _TMP: max(self.tmp_bytes, _SMALLEST_TMP_BYTES)}


def arguments(
    view: View,
    paths: Sequence[str],
    seccomp: Sequence[int],
    status: int,
    block: int | None,
    *,
    hosts: int | None = None,
) -> list[str]:
    """The options for ``--args``. ``paths``: where :attr:`View.sources` can be reached by the sandbox's host uid.

    ``hosts``: a descriptor of its own /etc/hosts.
    """
    made = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    made += ["--unshare-net", "--disable-userns", "--uid", str(system.INSIDE_UID), "--gid", str(system.INSIDE_UID)]
    made += ["--hostname", HOSTNAME, "--new-session", "--die-with-parent", "--cap-drop", "ALL"]
    made += system.arguments()
    made += ["--ro-bind", paths[0], "/etc", *system.etc_arguments()]
    if hosts is not None:
        made += ["--perms", "0644", "--ro-bind-data", str(hosts), "/etc/hosts"]
    # its user is root's equal for the settings of its own IPC namespace: nobody needs to write any
    made += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"]
    for place, size in view.memory_places.items():
        made += ["--perms", "1777", "--size", str(size), "--tmpfs", place]
    # over the devpts of --dev: each terminal made there counts against kernel.pty.max of the whole machine
    made += ["--perms", "0555", "--size", str(_SMALLEST_TMP_BYTES), "--tmpfs", _TERMINALS, "--remount-ro", _TERMINALS]
    made += ["--remount-ro", "/dev"]
    for item, path in zip(view.shown, paths[1:], strict=True):
        made += ["--bind" if item.writable else "--ro-bind", path, item.target]
    made += ["--remount-ro", "/", "--chdir", view.cwd, "--clearenv"]
    for name, value in view.env.items():
        made += ["--setenv", name, value]
    for descriptor in seccomp:
        made += ["--add-seccomp-fd", str(descriptor)]
    made += ["--json-status-fd", str(status)]
    if block is not None:
        made += ["--block-fd", str(block)]
    return made
