"""The few system calls that Python 3.11 has no function for, by way of libc. Linux only."""

from __future__ import annotations

import ctypes
import functools
import os

_PR_SET_PDEATHSIG = 1
_CLONE_NEWNS = 0x00020000
_MS_NOSUID_NODEV = 2 | 4
_MS_BIND = 4096
_MS_REC = 16384
_MS_SLAVE = 1 << 19
# The mount calls that work on descriptors (Linux 5.12); their numbers are the same on every architecture but alpha.
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH = 1, 4
_READ_ONLY_NOSUID_NODEV = 1 | 2 | 4
_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def load() -> None:
    """Find libc now: a child between fork and exec should only call it."""
    _libc()


def die_with_parent(signal: int, parent: int) -> None:
    """Be sent ``signal`` when the parent's thread that forked us ends; at once if ``parent`` is not our parent any more.

    A change of uid clears this: call it after that.
    """
    _checked(_libc().prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal)


def own_mounts() -> None:
    """Leave for a mount namespace of our own, whose changes nobody else sees. Needs CAP_SYS_ADMIN."""
    _checked(_libc().unshare(_CLONE_NEWNS), "unshare(CLONE_NEWNS)")
    _checked(_libc().mount(None, b"/", None, _MS_REC | _MS_SLAVE, None), "mount(/, MS_SLAVE)")


def mount_tmpfs(target: str, options: str) -> None:
    _checked(
        _libc().mount(b"ffx", os.fsencode(target), b"tmpfs", _MS_NOSUID_NODEV, options.encode()), f"tmpfs on {target}"
    )


def bind_mount(descriptor: int, target: str) -> None:
    """Show the folder or file behind an O_PATH descriptor (opened in this mount namespace) at ``target``, which exists."""
    source = f"/proc/self/fd/{descriptor}".encode()
    _checked(_libc().mount(source, os.fsencode(target), None, _MS_BIND | _MS_REC, None), f"bind on {target}")


def join_namespace(descriptor: int, kind: int) -> None:
    """Enter the namespace behind a descriptor of ``/proc/PID/ns/…``, or a pidfd (``kind``: CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWNS)."""
    _checked(_libc().setns(descriptor, kind), "setns")


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("user_namespace", ctypes.c_uint64),
    )


def detached_mount(source: str) -> int:
    """A descriptor of the folder ``source`` as a mount of its own that is nowhere yet: read-only, without set-uid programs and
    devices. Needs CAP_SYS_ADMIN. Raises: OSError, also where the kernel has no such call."""
    descriptor = int(_libc().syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(source), _OPEN_TREE_CLONE | os.O_CLOEXEC))
    if descriptor < 0:
        _checked(descriptor, f"open_tree({source})")
    attributes = _MountAttributes(set=_READ_ONLY_NOSUID_NODEV)
    try:
        _checked(
            _libc().syscall(
                _MOUNT_SETATTR,
                descriptor,
                b"",
                _AT_EMPTY_PATH,
                ctypes.byref(attributes),
                ctypes.sizeof(attributes),
            ),
            f"mount_setattr({source})",
        )
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def attach_mount(descriptor: int, target: str) -> None:
    """Put one of :func:`detached_mount` over the folder ``target`` of the mount namespace that we are in."""
    _checked(
        _libc().syscall(_MOVE_MOUNT, descriptor, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH),
        f"move_mount({target})",
    )
