#!/usr/bin/env python3
"""Make the seccomp programs of the sandbox: classic BPF, one file per machine, given to bubblewrap as a descriptor.

    python tools/make_seccomp.py            write src/faasioflex/runtime/sandbox/seccomp/*.bpf
    python tools/make_seccomp.py --check    exit 1 where a file differs from what would be written

No library is needed, here or on the host. Why a list of what is refused, and what stands in it: docs/adr/0004-sandbox.md.
"""

from __future__ import annotations

import argparse
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "src" / "faasioflex" / "runtime" / "sandbox" / "seccomp"

# classic BPF and seccomp(2)
LOAD, JUMP_EQUAL, JUMP_GREATER, JUMP_AT_LEAST, JUMP_BITS, RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
AT_NUMBER, AT_MACHINE, AT_ARGUMENTS = 0, 4, 16
X32_BIT = 0x40000000
NO_SYSCALL = 0xFFFFFFFF

NEWEST_KNOWN = 466  # removexattrat; a syscall that is younger than this list does not exist inside
NEW_NAMESPACES = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
NEW_TIME = 0x80
TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)  # PER_LINUX, PER_LINUX32, UNAME26, both, «tell me»
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, NETLINK_ROUTE = 1, 2, 10, 16, 0

# Numbers on (x86_64, aarch64); None where the machine lacks it.
Numbers = dict[str, tuple[int | None, int | None]]
REFUSED: Numbers = {  # EPERM
    # mounts and roots
    "mount": (165, 40), "umount2": (166, 39), "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "pivot_root": (155, 41), "chroot": (161, 51), "open_by_handle_at": (304, 265), "setns": (308, 268),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    # the kernel's keys, programs and events
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "fanotify_init": (300, 262), "fanotify_mark": (301, 263),
    "syslog": (103, 116), "lookup_dcookie": (212, 18),
    # the machine
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "create_module": (174, None), "get_kernel_syms": (177, None), "query_module": (178, None),
    "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "sethostname": (170, 161), "setdomainname": (171, 162), "vhangup": (153, 58),
    "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None), "uselib": (134, None), "ustat": (136, None),
    "sysfs": (139, None), "_sysctl": (156, None), "nfsservctl": (180, 42),
    # the clock
    "clock_settime": (227, 112), "clock_adjtime": (305, 266), "settimeofday": (164, 170), "adjtimex": (159, 171),
    # placement of memory
    "mbind": (237, 235), "set_mempolicy": (238, 237), "set_mempolicy_home_node": (450, 450), "migrate_pages": (256, 238),
    "move_pages": (279, 239),
}  # fmt: skip
ABSENT: Numbers = {  # ENOSYS: programs have a second way for these and take it
    "clone3": (435, 435),  # its flags lie in memory, where no filter can read them
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "memfd_secret": (447, 447), "statmount": (457, 457), "listmount": (458, 458),
}  # fmt: skip
CHECKED: Numbers = {  # by their arguments
    "clone": (56, 220), "unshare": (272, 97), "ioctl": (16, 29), "personality": (135, 92), "socket": (41, 198),
    "socketpair": (53, 199),
}  # fmt: skip
UNCOUNTED: Numbers = {  # memory that belongs to no process's resident set: absent where no memory cgroup counts it
    "memfd_create": (319, 279), "shmget": (29, 194),
}  # fmt: skip


@dataclass(frozen=True)
class Machine:
    name: str
    audit: int
    column: int

    def numbers(self, table: Numbers) -> Iterator[int]:
        for numbers in table.values():
            number = numbers[self.column]
            if number is not None:
                yield number


MACHINES = (Machine("x86_64", 0xC000003E, 0), Machine("aarch64", 0xC00000B7, 1))


class Program:
    """Instructions with jumps to names; a jump that is not taken goes on with the next instruction."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, str | None, str | None]] = []
        self._labels: dict[str, int] = {}

    def label(self, name: str) -> None:
        self._labels[name] = len(self._code)

    def load(self, offset: int) -> None:
        self._code.append((LOAD, offset, None, None))

    def argument(self, index: int) -> None:
        """The low half of an argument (both machines are little-endian): all of these are 32 bits wide in the kernel."""
        self.load(AT_ARGUMENTS + 8 * index)

    def jump(self, kind: int, value: int, then: str | None = None, otherwise: str | None = None) -> None:
        self._code.append((kind, value, then, otherwise))

    def give(self, value: int) -> None:
        self._code.append((RETURN, value, None, None))

    def assemble(self) -> bytes:
        made = []
        for at, (code, value, then, otherwise) in enumerate(self._code):
            distances = [0 if name is None else self._labels[name] - at - 1 for name in (then, otherwise)]
            assert all(0 <= distance <= 255 for distance in distances), "a jump is too far for classic BPF"
            made.append(struct.pack("<HBBI", code, *distances, value))
        return b"".join(made)


def _begin(program: Program, machine: Machine) -> None:
    program.load(AT_MACHINE)
    program.jump(JUMP_EQUAL, machine.audit, otherwise="kill")
    program.load(AT_NUMBER)
    if machine.name == "x86_64":
        program.jump(JUMP_EQUAL, NO_SYSCALL, then="absent")
        program.jump(JUMP_AT_LEAST, X32_BIT, then="kill")


def _end(program: Program) -> None:
    program.label("allow")
    program.give(ALLOW)
    program.label("refuse")
    program.give(ERRNO | EPERM)
    program.label("absent")
    program.give(ERRNO | ENOSYS)
    program.label("no family")
    program.give(ERRNO | EAFNOSUPPORT)
    program.label("kill")
    program.give(KILL)


def filter_program(machine: Machine) -> bytes:
    program = Program()
    _begin(program, machine)
    program.jump(JUMP_GREATER, NEWEST_KNOWN, then="absent")
    for name, numbers in CHECKED.items():
        number = numbers[machine.column]
        assert number is not None
        program.jump(JUMP_EQUAL, number, then=name)
    for number in machine.numbers(ABSENT):
        program.jump(JUMP_EQUAL, number, then="absent")
    for number in machine.numbers(REFUSED):
        program.jump(JUMP_EQUAL, number, then="refuse")
    program.give(ALLOW)
    program.label("clone")
    program.argument(0)
    program.jump(JUMP_BITS, NEW_NAMESPACES, then="refuse", otherwise="allow")
    program.label("unshare")
    program.argument(0)
    program.jump(JUMP_BITS, NEW_NAMESPACES | NEW_TIME, then="refuse", otherwise="allow")
    program.label("ioctl")
    program.argument(1)
    for request in TERMINAL_INPUT:
        program.jump(JUMP_EQUAL, request, then="refuse")
    program.give(ALLOW)
    program.label("personality")
    program.argument(0)
    for value in PERSONALITIES:
        program.jump(JUMP_EQUAL, value, then="allow")
    program.give(ERRNO | EPERM)
    program.label("socket")
    program.argument(0)
    for family in (AF_UNIX, AF_INET, AF_INET6):
        program.jump(JUMP_EQUAL, family, then="allow")
    program.jump(JUMP_EQUAL, AF_NETLINK, otherwise="no family")
    program.argument(2)
    program.jump(JUMP_EQUAL, NETLINK_ROUTE, then="allow", otherwise="no family")
    program.label("socketpair")
    program.argument(0)
    program.jump(JUMP_EQUAL, AF_UNIX, then="allow", otherwise="no family")
    _end(program)
    return program.assemble()


def uncounted_program(machine: Machine) -> bytes:
    program = Program()
    _begin(program, machine)
    for number in machine.numbers(UNCOUNTED):
        program.jump(JUMP_EQUAL, number, then="absent")
    _end(program)
    return program.assemble()


def programs() -> dict[str, bytes]:
    """File name -> content."""
    made = {}
    for machine in MACHINES:
        made[f"{machine.name}.bpf"] = filter_program(machine)
        made[f"{machine.name}-uncounted.bpf"] = uncounted_program(machine)
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 where a file differs")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    differing = []
    for name, content in programs().items():
        path = arguments.folder / name
        if not path.is_file() or path.read_bytes() != content:
            differing.append(name)
            if not arguments.check:
                path.write_bytes(content)
    for name in differing:
        print(f"{name}: {'differs' if arguments.check else 'written'}")
    return 1 if differing and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
