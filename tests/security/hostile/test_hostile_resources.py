"""What there is only so much of: an attacker gets its share of it, and the platform and the neighbour keep theirs."""

from __future__ import annotations

import http.client
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faasioflex.runtime.processes import environment_of
from security.hostile.conftest import LIMITS, SCALING, deploy_attacker, everywhere
from support.hostile_platform import Attacker, WalledPlatform, cgroup_folders, settle
from support.platform_process import processes_with
from support.sandboxes import in_use

MIB = 1 << 20
NEVER_READY = """
import os
try:
    os.fstat(3)  # the listening socket of an instance: the check of a build has none
    while True: pass
except OSError: pass
def handle(event, context): pass
"""


def used_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except OSError:
            continue
    return total


def pids_of(platform: WalledPlatform, attacker: Attacker) -> set[int]:
    """Processes of its sandbox."""
    marks = {mark.encode() for mark, function in in_use(platform.data).items() if function == attacker.name}
    return {pid for pid in processes_with(platform.data) if environment_of(pid).get(b"FFX_INSTANCE") in marks}


def test_disk(platform: WalledPlatform, attackers: list[Attacker]) -> None:
    before = used_bytes(platform.data)
    for found in everywhere(attackers, "disk", places=["/tmp", "/dev/shm", "/var/tmp", "/ffx/code"]):
        found.nothing("/tmp", "/dev/shm", "/var/tmp", "/ffx/code")
        assert 0 < found.saw["/tmp"] <= LIMITS["disk_bytes"]
        assert found.saw["/dev/shm"] <= 16 * MIB
        assert (found.saw["/var/tmp"], found.saw["/ffx/code"]) == (0, 0)
    assert used_bytes(platform.data) - before < 8 * MIB


def test_descriptors(attackers: list[Attacker]) -> None:
    for found in everywhere(attackers, "descriptors"):
        found.nothing("descriptors")
        assert found.saw["descriptors"] < 4096


def test_a_fork_bomb(attackers: list[Attacker]) -> None:
    """It ends at its bound; Go's runtime, which cannot do without a thread that it asks for, ends the whole instance."""
    for one in attackers:
        answer = one.ask("forks")
        if answer.status == 502 and one.language == "go":
            settle(lambda at=one: at.ask("code-again").status == 200, "a new one", 40)
            continue
        found = one.found("forks", answer)
        found.nothing("fork")
        assert found.saw["all"] <= LIMITS["processes"] + 2


@pytest.mark.parametrize("what", ["memory", "inodes", "sockets", "tcp", "udp"])
def test_what_costs_the_instance_its_life(platform: WalledPlatform, attackers: list[Attacker], what: str) -> None:
    """Or is refused. Nothing of it is left, and the next call finds a new instance."""
    if what in ("tcp", "udp") and not cgroup_folders(platform.data):
        pytest.skip("only control groups count the buffers of these: docs/isolation.md says so")
    arguments = {"inodes": {"most": 1_000_000}}.get(what, {})

    def tried(one: Attacker) -> None:
        before = pids_of(platform, one)
        assert before
        try:
            answer = platform.call("POST", f"{one.path}/attack/{what}", arguments)
        except http.client.HTTPException:
            ended = True
        else:
            ended = answer.status >= 500
            assert ended or answer.json()["refused"], (one.language, answer.body)
            assert ended or answer.json()["saw"].get("bytes", 0) < 512 * MIB, (one.language, answer.body)
        if ended:
            settle(lambda: not before & pids_of(platform, one), f"{one.name} is ended", 40)
        settle(lambda: platform.call("POST", f"{one.path}/attack/code-again", {}).status == 200, "a new one", 40)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(tried, attackers))


def test_processes_that_outlive_the_call(platform: WalledPlatform) -> None:
    """They live as long as the instance, count as its own, and end with it."""
    attacker = deploy_attacker(platform, "python", name="orphans")
    found = attacker.attack("orphans", count=20)
    found.nothing()
    settle(lambda: sum("orphan-" in line for line in processes_with(platform.data).values()) == 20, "they are there")
    bomb = attacker.attack("forks")
    assert bomb.saw["all"] <= LIMITS["processes"] + 2
    platform.delete("orphans")
    settle(lambda: not pids_of(platform, attacker), "they are gone")
    assert not [line for line in processes_with(platform.data).values() if "orphan-" in line]


@pytest.mark.skipif(os.geteuid() != 0, reason="a CPU limit needs a control group")
def test_a_start_that_takes_all_day_has_not_all_of_the_cpu(platform: WalledPlatform) -> None:
    """Without a limit it starts faster; that ends after ten seconds, and not only when it is ready."""
    files = {"main.py": NEVER_READY}
    body = {"name": "slow", "runtime": "python", "source": {"files": files}, "limits": {"cpu": 0.1}, "scaling": SCALING}
    assert platform.call("POST", "/functions/register", body).status == 201

    def quotas() -> list[int]:
        files = [Path(path) / "cpu.cfs_quota_us" for path in cgroup_folders(platform.data)]
        files += [Path(path) / "cpu.max" for path in cgroup_folders(platform.data)]
        return [int(file.read_text().split()[0]) for file in files if file.exists() and "max" not in file.read_text()]

    settle(lambda: 10_000 in quotas(), "it is limited", 40)
    assert platform.call("GET", "/functions/admin/slow").json()["status"]["ready_instances"] == 0
    platform.delete("slow")
