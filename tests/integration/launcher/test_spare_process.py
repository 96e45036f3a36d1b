"""The process in a sandbox that waits: what it does when it is told, and when it is not."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from faasioflex.runtime.language import interpreter, runtimes_folder
from faasioflex.runtime.spawn import Spawn, spawn

ABOVE = 50  # numbers of ours that are none of the child's


@dataclass
class Waiting:
    pid: int
    channel: socket.socket
    output: int

    def tell(self, argv: list[str], env: dict[str, str]) -> None:
        assert self.channel.recv(1) == b"\n"  # it is warm
        self.channel.sendall(json.dumps({"argv": argv, "env": env, "cwd": "/usr"}).encode())
        self.channel.shutdown(socket.SHUT_WR)

    def said(self) -> bytes:
        with open(self.output, "rb") as pipe:
            return pipe.read()

    def exit_code(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    ours, theirs = socket.socketpair()
    ours.settimeout(30)
    reading, writing = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    start = str(runtimes_folder() / "python" / "start.py")
    argv = [str(interpreter()), "-I", "-S", "-B", "-X", "frozen_modules=on", start, "--spare"]
    high = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, ABOVE) for one in (null, writing, theirs.fileno())]
    handed = {0: high[0], 1: high[1], 2: high[1], 3: high[0], 4: high[0], 5: high[2]}
    pid = spawn(Spawn(argv[0], argv, {"LANG": "C.UTF-8"}, handed))
    for one in (null, writing, *high):
        os.close(one)
    theirs.close()
    with closing(ours):
        yield Waiting(pid, ours, reading)


def test_another_program_is_executed_in_its_place(waiting: Waiting) -> None:
    """As Go's are, with the descriptors of an instance and not the one on which it was told."""
    source = (
        "import os\ndef there(number):\n    try: return bool(os.fstat(number))\n    except OSError: return False\n"
        "print(os.environ.get('GREETING'), os.environ.get('LANG'), os.getcwd(), *filter(there, range(9)))"
    )
    waiting.tell([str(interpreter()), "-I", "-c", source], {"GREETING": "hi", "LC_ALL": "C.UTF-8"})
    assert waiting.said().decode().split() == ["hi", "None", "/usr", *"01234"]
    assert waiting.exit_code() == 0


def test_it_is_started_as_any_program_is(waiting: Waiting) -> None:
    waiting.tell(["/bin/sh", "-c", "grep SigIgn /proc/self/status"], {"PATH": "/usr/bin:/bin"})
    assert int(waiting.said().split()[1], 16) & (1 << 12) == 0  # SIGPIPE, which Python ignores
    assert waiting.exit_code() == 0


def test_it_goes_on_as_the_function_that_it_is_told(waiting: Waiting, tmp_path: os.PathLike[str]) -> None:
    code = os.fspath(tmp_path)
    with open(os.path.join(code, "main.py"), "w") as file:
        file.write("import os, sys\nprint(os.environ['GREETING'], sys.argv[1:3], 'LANG' in os.environ)\nos._exit(7)\n")
    start = str(runtimes_folder() / "python" / "start.py")
    argv = [str(interpreter()), "-I", "-S", "-B", "-X", "frozen_modules=on", start, "--code", code, "--deps", ""]
    waiting.tell(argv, {"GREETING": "hi"})
    assert waiting.said().decode().split("\n")[0] == f"hi ['--code', '{code}'] False"
    assert waiting.exit_code() == 7


def test_whoever_could_tell_it_has_gone(waiting: Waiting) -> None:
    waiting.channel.close()
    assert waiting.exit_code() == 0
    assert waiting.said() == b""
