"""Packages whose build attacks: it has no effect, or the build fails and says so."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import psutil
import pytest

from faasioflex.manager.builder.jobs import MIB
from support.building import Building
from support.package_index import PackageIndex
from support.python_packages import source_package, wheel, wheel_name

pytestmark = pytest.mark.slow  # all of them together

SPY = "\nopen('contents/spy.py', 'w').write('FOUND = ' + repr(found))"


async def spied(building: Building, index: PackageIndex, code: str) -> object:
    """What a package's build found out: it leaves ``found`` in the module that it makes."""
    index.add("spy-1.0.tar.gz", source_package("spy", before_build=code + SPY, contents={"spy.py": ""}))
    built = await building.with_packages("spy", imports="import spy")
    assert built.deps is not None
    names: dict[str, object] = {}
    exec((built.deps / "spy.py").read_text(), names)  # noqa: S102 - what we wrote above
    return names["FOUND"]


async def refused(building: Building, index: PackageIndex, **attack: str) -> str:
    index.add("bad-1.0.tar.gz", source_package("bad", **attack))  # type: ignore[arg-type]
    return await building.refused_packages("bad")


async def test_it_has_no_network(building: Building, index: PackageIndex) -> None:
    code = (
        "import socket\nfound = []\n"
        f"for address in (('127.0.0.1', {index.port}), ('192.0.2.1', 80)):\n"
        "    try:\n        socket.create_connection(address, 5)\n        found.append('connected')\n"
        "    except OSError as error:\n        found.append('refused')\n"
    )
    assert await spied(building, index, code) == ["refused", "refused"]


async def test_it_sees_nothing_of_the_host(building: Building, index: PackageIndex) -> None:
    index.add(wheel_name("other", "1.0"), wheel("other", "1.0"))
    other = await building.with_packages("other")
    assert other.deps is not None
    host = [str(building.folder), str(other.deps), __file__, "/etc/shadow", "/etc/ssh", "/var"]
    code = (
        "import os\n"
        f"found = [path for path in {host!r} if os.path.exists(path)]\n"
        "found += [name for name in os.environ if 'UV_' in name or 'INDEX' in name]\n"
        "found += ['uid 0'] if 0 in os.getresuid() else []\n"
    )
    assert await spied(building, index, code) == []


async def test_it_writes_nowhere_but_in_its_tmp(building: Building, index: PackageIndex) -> None:
    code = (
        "import os\nfound = []\n"
        "for place in ('/', '/usr', '/etc', '/ffx', '/ffx/source', '/ffx/tools', '/ffx/steps', '/ffx/runtime', '/proc/sys'):\n"
        "    try:\n        open(place + '/written', 'w').write('x')\n        found.append(place)\n"
        "    except OSError:\n        continue\n"
        "os.unlink('contents/spy.py')\n"
    )
    assert await spied(building, index, code) == []


async def test_other_layers_are_as_they_were(building: Building, index: PackageIndex) -> None:
    index.add(wheel_name("other", "1.0"), wheel("other", "1.0"))
    other = await building.with_packages("other")
    assert other.deps is not None
    before = _print(other.deps)
    code = (
        "import os, subprocess\n"
        "found = subprocess.run(['sh', '-c', 'rm -rf /ffx/tools/* /ffx/source/*; chmod 777 /ffx/tools'], stderr=-3).returncode != 0"
    )
    assert await spied(building, index, code) is True
    assert _print(other.deps) == before


@pytest.mark.parametrize(
    "attack",
    [
        "import os; os.write(3, b'no wheel'); os._exit(0)",
        "import os; os.write(3, b'x\\nother-1.0-py3-none-any.whl'); os._exit(0)",
        "import os; os.write(3, b'x\\n../../../bad-1.0-py3-none-any.whl'); os._exit(0)",
        "import os; os.write(3, b'x\\n' + b'bad' * 1000 + b'-1.0-py3-none-any.whl'); os._exit(0)",
        "import os; os.write(3, bytes(range(256)) * 9); os._exit(0)",
        "import os; os._exit(0)",
    ],
)
async def test_what_comes_out_is_a_wheel_of_that_name_or_nothing(
    building: Building, index: PackageIndex, attack: str
) -> None:
    assert "bad: its build made no wheel of that name" in await refused(building, index, before_build=attack)


async def test_a_wheel_that_is_none(building: Building, index: PackageIndex) -> None:
    attack = "import os; os.write(3, b'PK but no zip\\nbad-1.0-py3-none-any.whl'); os._exit(0)"
    assert "fetch packages failed" in await refused(building, index, before_build=attack)


async def test_the_way_out_takes_no_modes_and_no_holes(building: Building, index: PackageIndex) -> None:
    """A set-user-id bit, another owner or a sparse giant do not come out, whoever we are."""
    building.limited(disk_bytes=32 * MIB)
    code = (
        "import os\nfound = []\n"
        "for attack in (lambda: os.ftruncate(3, 1 << 40), lambda: os.fchown(3, 0, 0), lambda: os.link('/proc/self/fd/3', '/tmp/l')):\n"
        "    try:\n        attack()\n        found.append('done')\n    except OSError:\n        found.append('refused')\n"
        "try:\n    os.fchmod(3, 0o6777)\nexcept OSError:\n    pass\n"
    )
    assert await spied(building, index, code) == ["refused"] * 3
    for path in building.folder.rglob("*"):
        assert path.lstat().st_mode & (stat.S_ISUID | stat.S_ISGID) == 0, path


@pytest.mark.parametrize(
    "answer",
    [
        "['--index-url http://127.0.0.1:1/simple']",
        "['-r /etc/passwd']",
        "['thing @ file:///etc/passwd']",
        "['thing @ http://127.0.0.1:1/thing.whl']",
        "['ok\\n--find-links /etc']",
        "'thing'",
        "{'thing': 1}",
        "[1, 2]",
        "['thing'] * 100_000",
        "['x' * 10_000_000]",
        "[[[['thing']]]]",
    ],
)
async def test_lies_about_what_it_needs(building: Building, index: PackageIndex, answer: str) -> None:
    asked = len(index.asked)
    message = await refused(building, index, hook=f"return {answer}")
    assert "bad: what its build asks for" in message or "failed (exit code 1)" in message
    assert {path.split("/")[2] for path in index.asked[asked:]} == {"bad"}


async def test_an_answer_that_is_no_answer(building: Building, index: PackageIndex) -> None:
    for written in ("b'[' * 200_000", "b'\\xff\\xfe'", "b''", "b'[' + b'\"a\",' * 10_000_000"):
        hook = f"import os\nos.write(3, {written})\nos._exit(0)"
        assert "what its build asks for has to be a list" in await refused(building, index, hook=hook)


async def test_it_hangs(building: Building, index: PackageIndex) -> None:
    building.limited(timeout_s=8.0)
    message = await refused(building, index, before_build="import signal; signal.pause()")
    assert "took longer than its 8 s" in message


async def test_it_takes_all_memory(building: Building, index: PackageIndex) -> None:
    building.limited(memory_bytes=192 * MIB)
    message = await refused(
        building, index, before_build="held = []\nwhile True: held.append(bytearray(b'x') * 1_000_000)"
    )
    assert message.startswith("build bad failed (used more than its 192 MiB of memory)")


async def test_it_fills_the_disk(building: Building, index: PackageIndex) -> None:
    building.limited(disk_bytes=32 * MIB)
    code = (
        "import os\nfound = []\n"
        "for path in ('/tmp/full', 3):\n"
        "    try:\n"
        "        with open(path, 'wb', closefd=False) if path == 3 else open(path, 'wb') as file:\n"
        "            while True: file.write(b'x' * 65536)\n"
        "    except OSError as error:\n        found.append(error.strerror)\n"
        "os.unlink('/tmp/full')\nos.ftruncate(3, 0)\nos.lseek(3, 0, 0)\n"
    )
    assert await spied(building, index, code) == ["No space left on device", "File too large"]


async def test_it_forks_and_stays(building: Building, index: PackageIndex) -> None:
    building.limited(processes=40)
    code = (
        "import os, subprocess, time\nfound = 0\n"
        "try:\n"
        "    while found < 1000:\n"
        "        subprocess.Popen(['sleep', '86397.25'], start_new_session=True)\n        found += 1\n"
        "except OSError:\n    pass\n"
    )
    found = await spied(building, index, code)
    assert isinstance(found, int)
    assert 0 < found < 60
    assert not [one for one in psutil.process_iter(["cmdline"]) if "86397.25" in (one.info["cmdline"] or [])]


async def test_code_of_a_package_runs_in_no_step_with_the_network(building: Building, index: PackageIndex) -> None:
    """Neither what is unpacked nor what is fetched for a build is imported by fetching."""
    index.add(
        wheel_name("sitecustomize", "1.0"), wheel("sitecustomize", "1.0", {"sitecustomize.py": "raise SystemExit(7)\n"})
    )
    files = {
        "hook.pth": "import os; os._exit(8)\n",
        "pip.py": "raise SystemExit(9)\n",
        "zipfile.py": "raise SystemExit(9)",
    }
    index.add(wheel_name("hooks", "1.0"), wheel("hooks", "1.0", files))
    message = await building.refused_packages("sitecustomize", "hooks")
    assert message.startswith("check (python")  # it came so far: what runs code is the check, which has no network
    assert "(exit code 8)" in message


def _print(folder: Path) -> dict[str, tuple[int, int, str]]:
    """All that there is to know of a tree's files."""
    found = {}
    for root, _, files in os.walk(folder):
        for name in files:
            path = Path(root, name)
            seen = path.lstat()
            found[str(path)] = (seen.st_mode, seen.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
    return found
