"""What a function can do to the machine: nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faasioflex.runtime.processes import environment_of, pids
from faasioflex.runtime.sandbox.uids import is_reserved
from support.launcher import World, inside

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="uids of their own need root")


def _processes(instance: str) -> list[int]:
    return [pid for pid in pids() if environment_of(pid).get(b"FFX_INSTANCE") == instance.encode()]


def _status(pid: int) -> dict[str, str]:
    text = Path(f"/proc/{pid}/status").read_text()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


async def test_sysctls_cannot_be_written(world: World) -> None:
    """[A function that is mapped to root of the host rewrites core_pattern, which the kernel runs as root.]"""
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    source = (
        "import os\nresult = []\n"
        "for root, folders, files in os.walk('/proc/sys'):\n"
        "    for name in files:\n"
        "        path = os.path.join(root, name)\n"
        "        try:\n"
        "            os.close(os.open(path, os.O_WRONLY)); result.append(path)\n"
        "        except OSError: pass\n"
        "try: open('/proc/sysrq-trigger', 'w').close(); result.append('sysrq')\n"
        "except OSError: pass\n"
    )
    assert await inside(await world.ready(), source) == []
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


async def test_no_capability_and_no_way_to_one(world: World) -> None:
    status = await inside(await world.ready(), "result = open('/proc/self/status').read()")
    fields = {name: value.strip() for name, _, value in (line.partition(":") for line in status.splitlines())}
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(fields[kind], 16) == 0, kind
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"
    assert fields["Uid"].split() == ["1000"] * 4


async def test_a_set_uid_program_gains_nothing(world: World) -> None:
    source = "import subprocess\nresult = subprocess.run(['su', '-c', 'id -u'], capture_output=True, text=True).stdout"
    assert "0" not in await inside(await world.ready(), source)


@AS_ROOT
async def test_as_root_each_instance_has_a_uid_of_its_own_and_never_0(world: World) -> None:
    one, two = await world.ready(), await world.ready()
    uids = []
    for instance in (one, two):
        found = _processes(await world.sandbox_of(instance))
        assert len(found) >= 3  # bubblewrap outside, its init, the runtime
        kinds = {number for pid in found for number in _status(pid)["Uid"].split()}
        groups = {number for pid in found for key in ("Gid", "Groups") for number in _status(pid)[key].split()}
        assert len(kinds) == 1
        assert groups == kinds
        uids.append(int(kinds.pop()))
    assert all(is_reserved(uid) for uid in uids)
    assert uids[0] != uids[1]


@pytest.mark.skipif(os.geteuid() == 0, reason="as root each has a uid of its own")
async def test_as_a_plain_user_they_are_that_user(world: World) -> None:
    instance = await world.ready()
    assert {_status(pid)["Uid"].split()[0] for pid in _processes(await world.sandbox_of(instance))} == {
        str(os.getuid())
    }


async def test_every_namespace_is_its_own(world: World) -> None:
    kinds = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"]
    seen = await inside(
        await world.ready(), f"import os\nresult = [os.readlink('/proc/self/ns/' + k) for k in {kinds}]"
    )
    ours = [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]
    assert [kind for kind, inner, outer in zip(kinds, seen, ours, strict=True) if inner == outer] == []


async def test_it_has_a_session_of_its_own(world: World) -> None:
    assert await inside(await world.ready(), "import os\nresult = os.getsid(0)") in (1, 2)


async def test_no_network_but_its_own_loopback(world: World) -> None:
    source = (
        "import socket\n"
        "result = {'interfaces': [name for _, name in socket.if_nameindex()], 'reached': []}\n"
        "for address in (('1.1.1.1', 53), ('127.0.0.1', 22), ('10.0.0.1', 80), ('169.254.169.254', 80)):\n"
        "    try: socket.create_connection(address, timeout=2).close(); result['reached'].append(address)\n"
        "    except OSError: pass\n"
    )
    seen = await inside(await world.ready(), source)
    assert seen == {"interfaces": ["lo"], "reached": []}


async def test_a_server_of_the_host_s_loopback_is_not_reached(world: World) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = (
            "import socket\n"
            f"try: socket.create_connection(('127.0.0.1', {port}), timeout=2); result = 'reached'\n"
            "except OSError as e: result = 'refused'\n"
        )
        assert await inside(await world.ready(), source) == "refused"


async def test_abstract_sockets_of_the_host_are_not_reached(world: World) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0ffx-test-abstract")
        server.listen()
        source = (
            "import socket\n"
            "s = socket.socket(socket.AF_UNIX)\n"
            "try: s.connect(chr(0) + 'ffx-test-abstract'); result = 'reached'\n"
            "except OSError as e: result = 'refused'\n"
        )
        assert await inside(await world.ready(), source) == "refused"


async def test_the_host_s_name_is_not_told(world: World) -> None:
    assert await inside(await world.ready(), "import os\nresult = os.uname().nodename") == "function"
