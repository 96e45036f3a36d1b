"""The command as a process: what it imports, signals, pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.ffx_command import Ffx
from support.small_platform import SmallPlatform

FFX = [sys.executable, "-m", "faasioflex.cli.main"]


@pytest.fixture
def follower(hello: Ffx) -> Iterator[subprocess.Popen[bytes]]:
    """``ffx logs hello -f`` as a process."""
    process = subprocess.Popen(
        [*FFX, "logs", "hello", "-f"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)
    )
    yield process
    process.kill()
    process.communicate()


def _first_line(process: subprocess.Popen[bytes], platform: SmallPlatform) -> bytes:
    platform.log("hello", "hello there")
    assert process.stdout is not None
    while b"hello there" not in (line := process.stdout.readline()):
        assert line, process.communicate()
    return line


def test_logs_are_followed_until_ctrl_c_which_is_130(
    follower: subprocess.Popen[bytes], platform: SmallPlatform
) -> None:
    assert b"stdout | hello there" in _first_line(follower, platform)
    follower.send_signal(signal.SIGINT)
    _, err = follower.communicate(timeout=30)
    assert (follower.returncode, err) == (130, b"")


def test_a_reader_that_leaves_is_no_reason_for_a_message(
    follower: subprocess.Popen[bytes], platform: SmallPlatform
) -> None:
    _first_line(follower, platform)
    assert follower.stdout is not None
    follower.stdout.close()
    follower.stdout = None
    platform.log("hello", "nobody reads this")
    platform.log("hello", "nor this")
    _, err = follower.communicate(timeout=30)
    assert err == b""
    assert follower.returncode in (1, 141)


def test_raw_bodies_pass_byte_for_byte(hello: Ffx) -> None:
    data = bytes(range(256)) * 300
    done = subprocess.run(
        [*FFX, "invoke", "hello", "--raw", "-d", "-"], input=data, capture_output=True, check=True, timeout=60
    )
    assert done.stdout == data


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from faasioflex.cli.main import main\ntry: main()\nexcept SystemExit: pass\n"
    code += "print([n for n in ('httpx', 'pydantic', 'rich', 'yaml', 'nats', 'grpc', 'asyncio') if n in sys.modules], file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.strip() == "[]"
    assert done.stdout.startswith("Usage: ")


def test_a_verb_on_the_platform_imports_neither_httpx_own_command_nor_servers(
    hello: Ffx, platform: SmallPlatform
) -> None:
    code = "import sys; from faasioflex.cli.main import main\ntry: main()\nexcept SystemExit: pass\n"
    code += "print([n for n in ('click', 'pygments', 'rich', 'nats', 'grpc', 'fastapi', 'yaml') if n in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, "list"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == "[]"
    assert "admin/hello" in done.stdout


def test_a_closed_stdout_is_quiet(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m faasioflex.cli.main --help | true"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
