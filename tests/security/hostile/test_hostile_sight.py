"""What a function can see of the host, the platform and its neighbours: nothing."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

from security.hostile.conftest import everywhere
from support.hostile_platform import CANARY, NEIGHBOUR_SECRET, Attacker, WalledPlatform


def test_files_of_the_host_and_of_the_platform(platform: WalledPlatform, attackers: list[Attacker]) -> None:
    with tempfile.NamedTemporaryFile("w", dir="/var/tmp") as file:
        file.write(CANARY)
        file.flush()
        os.chmod(file.name, 0o644)
        data = platform.data
        paths = [
            "/etc/shadow",
            "/etc/gshadow",
            "/etc/ssh",
            "/etc/machine-id",
            "/var/log",
            "/home",
            "/boot",
            "/run/systemd",
            "/run/user",
            "/run/lock",
            "/run/dbus",
            file.name,
        ]
        paths += [
            str(data),
            str(data / "run"),
            str(data / "run/platform.json"),
            str(data / "nats"),
            str(data / "builds"),
        ]
        for found in everywhere(attackers, "read", paths=paths):
            found.nothing()


def test_devices_of_the_machine(attackers: list[Attacker]) -> None:
    for found in everywhere(attackers, "devices"):
        found.nothing()


def test_processes_and_environments(platform: WalledPlatform, attackers: list[Attacker]) -> None:
    assert any(CANARY in Path(f"/proc/{pid}/environ").read_text() for pid in platform.pids.values())
    pids = [pid for pid in platform.pids.values() if pid > 1000]
    own = ["bwrap", "run.py", "orphan-", "start.py", "handle.sh", "start.mjs", "/function"]
    for found in everywhere(attackers, "processes", canary=CANARY, host_pids=pids, own_names=own):
        found.nothing()
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)


def test_the_neighbour_s_code(platform: WalledPlatform, attackers: list[Attacker]) -> None:
    stored = [path for path in platform.data.rglob("main.py") if NEIGHBOUR_SECRET in path.read_text()]
    assert stored, "the secret lies where the platform keeps code"
    for found in everywhere(attackers, "search", needles=[NEIGHBOUR_SECRET, CANARY]):
        found.nothing()


def test_sockets_of_the_platform_and_of_its_functions(platform: WalledPlatform, attackers: list[Attacker]) -> None:
    paths = [str(path) for path in platform.data.rglob("*") if path.is_socket()]
    assert len(paths) >= 5
    with platform.wall.abstract("ffx-hostile"), socket.socket(socket.AF_UNIX) as ours:
        names = ["ffx-hostile", f"ffx-hostile-host-{os.getpid()}"]
        ours.bind("\0" + names[1])
        ours.listen()
        for found in everywhere(attackers, "unix-sockets", paths=paths, abstract=names):
            found.nothing()


def test_code_that_others_run(platform: WalledPlatform, attackers: list[Attacker]) -> None:
    before = [one.attack("code-again").saw for one in attackers]
    for found in everywhere(attackers, "write-code"):
        found.nothing()
    assert [one.attack("code-again").saw for one in attackers] == before
