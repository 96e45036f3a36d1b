"""System calls that are refused inside, by number and by argument."""

from __future__ import annotations

import importlib.util
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from faasioflex.runtime.isolation import Order
from support.launcher import World, inside

TOOL = Path(__file__).parents[3] / "tools" / "make_seccomp.py"
CALL = (
    "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    "def call(number, *arguments):\n"
    "    answer = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in arguments])\n"
    "    return 'done' if answer >= 0 else os.strerror(ctypes.get_errno())\n"
)
NEW_USER, NEW_NET, NEW_NS = 0x10000000, 0x40000000, 0x00020000
CASES = {
    "mount": ("mount", (0, 0, 0, 0, 0), "Operation not permitted"),
    "umount": ("umount2", (0, 0), "Operation not permitted"),
    "ptrace": ("ptrace", (0, 0, 0, 0), "Operation not permitted"),
    "keyctl": ("keyctl", (0, 0, 0, 0, 0), "Operation not permitted"),
    "add_key": ("add_key", (0, 0, 0, 0, 0), "Operation not permitted"),
    "bpf": ("bpf", (0, 0, 0), "Operation not permitted"),
    "perf": ("perf_event_open", (0, 0, -1, -1, 0), "Operation not permitted"),
    "io_uring": ("io_uring_setup", (4, 0), "Function not implemented"),
    "userfaultfd": ("userfaultfd", (1,), "Operation not permitted"),
    "setns": ("setns", (0, 0), "Operation not permitted"),
    "open by handle": ("open_by_handle_at", (-100, 0, 0), "Operation not permitted"),
    "another's memory": ("process_vm_readv", (1, 0, 0, 0, 0, 0), "Operation not permitted"),
    "kexec": ("kexec_load", (0, 0, 0, 0), "Operation not permitted"),
    "modules": ("finit_module", (0, 0, 0), "Operation not permitted"),
    "reboot": ("reboot", (0, 0, 0, 0), "Operation not permitted"),
    "swap": ("swapon", (0, 0), "Operation not permitted"),
    "chroot": ("chroot", (0,), "Operation not permitted"),
    "new user namespace": ("unshare", (NEW_USER,), "Operation not permitted"),
    "new network namespace": ("unshare", (NEW_NET,), "Operation not permitted"),
    "clone into a namespace": ("clone", (NEW_USER | 17, 0, 0, 0, 0), "Operation not permitted"),
    "clone3": ("clone3", (0, 88), "Function not implemented"),
    "injected terminal input": ("ioctl", (0, 0x5412, 0), "Operation not permitted"),
    "no randomisation": ("personality", (0x0040000,), "Operation not permitted"),
    "packet sockets": ("socket", (17, 3, 0), "Address family not supported by protocol"),
    "crypto sockets": ("socket", (38, 5, 0), "Address family not supported by protocol"),
    "vsock": ("socket", (40, 1, 0), "Address family not supported by protocol"),
    "netlink beyond routes": ("socket", (16, 3, 12), "Address family not supported by protocol"),
}


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_seccomp", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


async def test_refused_calls(world: World, tool: ModuleType) -> None:
    column = [machine.name for machine in tool.MACHINES].index(platform.machine())
    numbers = {
        name: both[column] for table in (tool.REFUSED, tool.ABSENT, tool.CHECKED) for name, both in table.items()
    }
    calls = {case: (numbers[name], *arguments) for case, (name, arguments, _) in CASES.items()}
    seen = await inside(await world.ready(), CALL + f"result = {{case: call(*c) for case, c in {calls!r}.items()}}")
    assert seen == {case: expected for case, (_, _, expected) in CASES.items()}


async def test_a_call_younger_than_the_list_does_not_exist(world: World, tool: ModuleType) -> None:
    source = CALL + f"result = call({tool.NEWEST_KNOWN} + 1, 0, 0, 0, 0, 0, 0)"
    assert await inside(await world.ready(), source) == "Function not implemented"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x32 is of x86_64")
async def test_a_call_by_the_x32_way_ends_the_caller(world: World) -> None:
    source = (
        CALL
        + "import subprocess, sys\npid = os.fork()\nif pid == 0:\n    call(0x40000000 + 39); os._exit(0)\nresult = os.waitpid(pid, 0)[1]"
    )
    assert await inside(await world.ready(), source) & 0x7F == 31  # SIGSYS


async def test_what_programs_need_is_allowed(world: World) -> None:
    source = (
        "import socket, subprocess, threading, os, mmap, multiprocessing\n"
        "socket.socketpair(); socket.socket(socket.AF_INET6)\n"
        "t = threading.Thread(target=print); t.start(); t.join()\n"
        "mmap.mmap(-1, 4096)\n"
        "lock = multiprocessing.get_context('fork').Lock()\n"
        "result = subprocess.run(['sh', '-c', 'echo fine'], capture_output=True, text=True).stdout\n"
    )
    assert await inside(await world.ready(), source) == "fine\n"


def test_the_committed_programs_are_what_the_tool_makes(tool: ModuleType) -> None:
    assert subprocess.run([sys.executable, TOOL, "--check"], check=False).returncode == 0
    assert {path.name for path in tool.FOLDER.glob("*.bpf")} == set(tool.programs())


def test_an_order_has_no_way_around_the_filter() -> None:
    assert not {name for name in Order.__dataclass_fields__ if "seccomp" in name or "privilege" in name}
