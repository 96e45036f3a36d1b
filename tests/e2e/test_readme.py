"""The README's five minutes, command by command: what is printed there is what is run here, against a platform of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from faasioflex.runtime.toolchain.store import cache_folder

REPO = Path(__file__).resolve().parents[2]
LONGEST_S = 300
# what the output after a command must hold; a command that is not named here must just end well
EXPECTED = {
    "ffx status": "ready:",
    "ffx whoami": "local admin",
    "cat hello/main.py": "def handle(event, context):",
    "ffx test hello": "OK",
    "ffx dev hello --send ada": "Hello, Ada!",
    "ffx deploy hello": "http://127.0.0.1:PORT/f/admin/hello",
    """curl -sS -d '{"name": "Ada"}' -H "Authorization: Bearer $(cat $TOKEN_FILE)" http://127.0.0.1:PORT/f/admin/hello""": "Ada!",
    """curl -sS -o /dev/null -w '%{http_code}\\n' http://127.0.0.1:PORT/f/admin/hello""": "401",
    """ffx invoke hello -d '{"name": "Shop"}' --token-file shop.token""": "Hello, Shop!",
    "ffx token list": "shop",
    "ffx grant hello --to user:grace@example.org --verb invoke": "grace@example.org",
    """curl -sS -d '{"name": "Everybody"}' http://127.0.0.1:PORT/f/admin/hello""": "Hello, Everybody!",
    "ffx secret list": "db-password",
    """ffx invoke hello -d '{"name": "Grace"}'""": "Hello, Grace!",
    "ffx logs hello": "greeting Ada",
    "ffx deploy hello --no-traffic": "It gets no calls yet",
    "ffx traffic hello 1=90 2=10": "1=90 2=10",
    "ffx revisions hello": "10%",
    "ffx rollback hello 1": "1=100",
    """ffx invoke hello -d '{"name": "Ada"}'""": "Hello, Ada!",
    'ffx deploy hello || echo "refused, as it should be"': "refused, as it should be",
    """ffx result $(ffx invoke hello -d '{"name": "Later"}' --async) --wait""": "Hello, Later!",
    """ffx invoke web -d '{"name": "Ada"}'""": "Hello, Ada!",
    """ffx invoke hello -d '{"name": "Phoenix"}'""": "Hello, Phoenix!",
    "ffx list": "admin/hello",
    "ffx delete hello": "Deleted admin/hello",
}


@dataclass(frozen=True)
class Ran:
    command: str
    output: str


def tour(port: int) -> list[str]:
    """The commands of the shell blocks, without ``make install``, which ran before any test could."""
    text = (REPO / "README.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines() if line]
    return [line.replace("127.0.0.1:8080", f"127.0.0.1:{port}") for line in lines if line != "make install"]


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home without anything, in which the checkout's installation is at hand as after ``make install``."""
    folder = tmp_path_factory.mktemp("h")
    (folder / ".venv").symlink_to(REPO / ".venv")
    return folder


def left_running(home: Path) -> list[psutil.Process]:
    """Processes of the platform in ``home``: each has its data folder in its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("FFX_DATA", "").startswith(str(home)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def run(commands: list[str], home: Path, port: int) -> list[Ran]:
    """All of them in one shell that ends at the first that fails."""
    mark = "::ran::"
    script = "".join(f"echo {mark}{number}\n{command}\n" for number, command in enumerate(commands))
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("FFX_", "XDG_"))}
    environment |= {
        "HOME": str(home),
        "FFX_PORT": str(port),
        "FFX_CACHE": str(cache_folder()),
    }  # toolchains: fetched once
    shell = subprocess.Popen(
        ["bash", "-eu", "-c", script],
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = shell.communicate(timeout=LONGEST_S)
    finally:
        for process in left_running(home) if shell.returncode != 0 else []:
            process.send_signal(signal.SIGKILL)
    assert shell.returncode == 0, output
    parts = re.split(rf"{mark}\d+\n", output)[1:]
    return [Ran(command, part) for command, part in zip(commands, parts, strict=True)]


@pytest.mark.slow
@pytest.mark.timeout(LONGEST_S + 60)
def test_the_tour_works_as_printed(home: Path) -> None:
    port = free_port()
    ran = run(tour(port), home, port)
    held = {one.command for one in ran}
    expected = {
        command.replace("PORT", str(port)): text.replace("PORT", str(port)) for command, text in EXPECTED.items()
    }
    assert expected.keys() <= held, "EXPECTED names commands that the README no longer has"
    for one in ran:
        assert expected.get(one.command, "") in one.output, f"{one.command}\n{one.output}"
    greetings = [one.output for one in ran if one.command.startswith("curl") and '"Ada"' in one.command]
    assert ["Hello" in text for text in greetings] == [True, False]
    assert "Good morning" in greetings[1]
    # the supervisor lets go of the folder a moment before it has ended itself
    deadline = time.monotonic() + 10
    while (left := left_running(home)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
