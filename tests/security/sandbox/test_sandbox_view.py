"""What a function can see: not the host's home, not the platform, not other functions; nothing of the host to write."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from faasioflex.model.errors import StartFailed
from faasioflex.runtime.processes import environment_of, pids
from support.launcher import World, inside, job

TRY_TO_LIST = (
    "import os\ndef look(path):\n    try: return sorted(os.listdir(path))\n    except OSError as e: return str(e)\n"
)


def _ancestors_of_the_interpreter(folder: str) -> list[str]:
    """What must stand in ``folder`` so that the language's own interpreter is found: one name, or none."""
    prefix = Path(sys.base_prefix).resolve()
    return [prefix.relative_to(folder).parts[0]] if prefix.is_relative_to(folder) and prefix != Path(folder) else []


@pytest.mark.parametrize("folder", ["/root", "/home"])
async def test_no_home_of_the_host(world: World, folder: str) -> None:
    seen = await inside(await world.ready(), TRY_TO_LIST + f"result = look({folder!r})")
    assert seen == _ancestors_of_the_interpreter(folder) or "No such file" in seen


async def test_the_root_holds_only_what_a_language_needs(world: World) -> None:
    seen = set(await inside(await world.ready(), TRY_TO_LIST + "result = look('/')"))
    allowed = {
        "bin",
        "dev",
        "etc",
        "ffx",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "proc",
        "run",  # the instance's token and secrets, read-only: what else is there, the next line says
        "sbin",
        "tmp",
        "usr",
        "nix",
        "gnu",
    }
    assert seen <= allowed | set(_ancestors_of_the_interpreter("/"))
    if "run" in seen:
        assert await inside(await world.ready(), TRY_TO_LIST + "result = look('/run')") == ["ffx"]


async def test_the_platform_s_folder_is_not_there(world: World) -> None:
    instance = await world.ready()
    assert "No such file" in await inside(instance, TRY_TO_LIST + f"result = look({str(world.data)!r})")
    assert await inside(instance, TRY_TO_LIST + "result = look('/tmp')") == []


async def test_no_account_of_the_host(world: World) -> None:
    read = "def read(p):\n    try: return open(p).read()\n    except OSError as e: return str(e)\n"
    instance = await world.ready()
    assert "No such file" in await inside(instance, read + "result = read('/etc/shadow')")
    passwd = await inside(instance, read + "result = read('/etc/passwd')")
    assert {line.split(":")[0] for line in passwd.splitlines()} == {"root", "ffx", "nobody"}


async def test_etc_holds_no_secret_of_the_host(world: World) -> None:
    """Every regular file of /etc that others may not read on the host is absent inside."""
    closed = [str(path) for path in Path("/etc").rglob("*") if path.is_file() and not path.stat().st_mode & 0o004]
    assert closed
    source = f"import os\nresult = [p for p in {closed!r} if os.path.lexists(p)]"
    assert await inside(await world.ready(), source) == []


async def test_no_other_function_is_seen(world: World) -> None:
    other = await world.ready({"main.py": "SECRET = 'of the other'\ndef handle(e, c): return SECRET\n"})
    find = (
        "import os\nresult = []\n"
        "for root, folders, files in os.walk('/ffx/code'):\n"
        "    result += files\n"
        f"result += [p for p in ({other.address[5:]!r}, {str(world.data / 'builds')!r}) if os.path.exists(p)]"
    )
    seen = await inside(await world.ready(), find)
    assert [name for name in seen if not name.endswith(".pyc")] == ["main.py"]


async def test_no_other_process_is_seen(world: World) -> None:
    await world.ready()
    source = (
        "import os\nresult = {p: open(f'/proc/{p}/comm').read().strip() for p in os.listdir('/proc') if p.isdigit()}"
    )
    seen = await inside(await world.ready(), source)
    assert len(seen) == 2, seen
    assert seen["1"] == "bwrap"


async def test_no_environment_of_the_platform_is_seen(world: World) -> None:
    source = (
        "import os\nresult = []\n"
        "for p in os.listdir('/proc'):\n"
        "    if p.isdigit():\n"
        "        try: result.append(open(f'/proc/{p}/environ').read())\n"
        "        except OSError: pass\n"
    )
    text = "".join(await inside(await world.ready(), source))
    assert "PYTEST_CURRENT_TEST" in os.environ
    assert "PYTEST_CURRENT_TEST" not in text


WRITABLE_MOUNTS = """
import os
result = []
for line in open('/proc/self/mountinfo'):
    left, _, right = line.partition(' - ')
    fields, kind = left.split(), right.split()[0]
    place, options = fields[4], fields[5].split(',')
    statvfs = os.statvfs(place)
    if not statvfs.f_flag & os.ST_RDONLY:
        result.append((place, kind, fields[3]))
"""


async def test_no_folder_of_the_host_is_writable(world: World) -> None:
    """Every mount that is not read-only is memory of its own, /proc, or a device of /dev."""
    writable = await inside(await world.ready(), WRITABLE_MOUNTS)
    assert writable
    for place, kind, _ in writable:
        if kind in ("tmpfs", "proc", "devpts") and place in ("/tmp", "/dev/shm", "/proc", "/dev/pts"):
            continue
        assert place in {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "console")}, (
            place,
            kind,
        )


async def test_nothing_can_be_made_outside_of_tmp(world: World) -> None:
    source = (
        "import os\nresult = []\n"
        "for root, folders, files in os.walk('/'):\n"
        "    if root.startswith(('/proc', '/tmp', '/dev/shm', '/dev/pts')):\n"
        "        folders.clear(); continue\n"
        "    folders[:] = [f for f in folders if not os.path.islink(os.path.join(root, f))]\n"
        "    if root.count('/') > 4: folders.clear()\n"
        "    try: os.close(os.open(os.path.join(root, 'ffx-made'), os.O_CREAT | os.O_WRONLY)); result.append(root)\n"
        "    except OSError: pass\n"
    )
    assert await inside(await world.ready(), source) == []


def _identity(path: Path) -> tuple[int, ...]:
    found = path.lstat()
    return found.st_dev, found.st_ino, found.st_mode, found.st_uid


async def test_the_socket_cannot_be_swapped(world: World) -> None:
    """Nothing inside leads to the folder where the gateway finds the socket: neither by path nor by descriptor."""
    instance = await world.ready()
    path = Path(instance.address.removeprefix("unix:"))
    before = _identity(path)
    source = (
        "import os\n"
        f"path = {str(path)!r}\n"
        "try:\n"  # the same path can be made in the private /tmp: nobody outside sees it
        "    os.makedirs(os.path.dirname(path), exist_ok=True); os.symlink('/ffx/code/main.py', path)\n"
        "except OSError: pass\n"
        "result = []\n"
        "for name in os.listdir('/proc/self/fd'):\n"
        "    try: os.listdir(f'/proc/self/fd/{name}'); result.append(os.readlink(f'/proc/self/fd/{name}'))\n"
        "    except OSError: pass\n"
    )
    assert await inside(instance, source) == []
    assert _identity(path) == before
    assert await inside(instance, "result = 'the same socket'") == "the same socket"


async def test_only_the_descriptors_of_the_contract_are_handed_in(world: World) -> None:
    code = {"main.py": f"{LIST_DESCRIPTORS}\nFOUND = look()\ndef handle(e, c): return {{'result': FOUND}}\n"}
    found = await inside(await world.ready(code), "")
    kinds = {number: target for number, target in found.items() if number in "01234"}
    assert kinds["0"] == "/dev/null"
    assert kinds["3"].startswith("socket:")
    assert all(target.startswith("pipe:") for number, target in kinds.items() if number in "124")
    for number, target in found.items():
        assert (
            not target.startswith(("/", "pipe:")) or number in kinds or target.startswith(("/dev/", "/proc/", "pipe:"))
        ), found
    assert not any(str(world.data) in target for target in found.values())


LIST_DESCRIPTORS = """
import os
def look():
    found = {}
    for name in os.listdir('/proc/self/fd'):
        try: found[name] = os.readlink(f'/proc/self/fd/{name}')
        except OSError: pass
    return found
"""


async def test_a_command_finds_no_other_descriptor(world: World) -> None:
    lines: list[str] = []
    await world.driver.run(job(("sh", "-c", "ls /proc/self/fd")), lines.append)
    assert set(lines) <= {"0", "1", "2", "3"}  # the last is ls's own, of the listing


async def test_devices_are_the_harmless_ones(world: World) -> None:
    seen = set(await inside(await world.ready(), TRY_TO_LIST + "result = look('/dev')"))
    assert seen <= {
        "console", "core", "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero",
    }  # fmt: skip


OPEN_TERMINALS = """
import os, pty
result = []
for make in (os.openpty, pty.fork, *(lambda path=path: os.open(path, os.O_RDWR) for path in ("/dev/ptmx", "/dev/pts/ptmx", "/dev/pts/0"))):
    try: result.append(make())
    except OSError: pass
"""


async def test_no_terminal_can_be_made(world: World) -> None:
    """The machine has only so many of them, whoever opens them; programs that need none run as ever."""
    instance = await world.ready()
    assert await inside(instance, OPEN_TERMINALS) == []
    source = (
        "import subprocess\n"
        "done = subprocess.run(['bash', '-c', 'read line; echo $line | cat; [ -t 0 ] || echo no terminal >&2'],\n"
        "    input='said\\n', capture_output=True, text=True)\n"
        "result = [done.returncode, done.stdout, done.stderr]"
    )
    assert await inside(instance, source) == [0, "said\n", "no terminal\n"]


async def test_sys_is_not_there(world: World) -> None:
    assert "No such file" in await inside(await world.ready(), TRY_TO_LIST + "result = look('/sys')")


async def test_a_variable_cannot_smuggle_in_a_mount(world: World) -> None:
    with pytest.raises(StartFailed, match="NUL"):
        await world.start(env={"A": "x\0--bind\0/\0/ffx/host"})
    assert await world.driver.observe() == []


async def test_a_variable_means_nothing_to_what_makes_the_sandbox(world: World) -> None:
    """LD_PRELOAD and its like reach the function and nothing outside: bubblewrap has an environment of its own."""
    names = ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "PATH", "PYTHONPATH")
    instance = await world.ready(env={name: "/ffx/code" for name in names[:1]} | {"LD_AUDIT": "/ffx/code"})
    mark = (await world.sandbox_of(instance)).encode()
    outside = [pid for pid in pids() if environment_of(pid).get(b"FFX_INSTANCE") == mark]
    monitors = [pid for pid in outside if Path(f"/proc/{pid}/comm").read_text().strip() == "bwrap"]
    assert len(monitors) == 2
    for pid in monitors:
        assert {b"LD_PRELOAD", b"LD_AUDIT"}.isdisjoint(environment_of(pid))


async def test_what_a_function_is_told_stands_in_no_command_line(world: World) -> None:
    mark = (await world.sandbox_of(await world.ready(env={"PASSWORD": "not-for-other-users"}))).encode()
    inside_it = [pid for pid in pids() if environment_of(pid).get(b"FFX_INSTANCE") == mark]
    assert len(inside_it) >= 3
    for pid in inside_it:
        assert b"not-for-other-users" not in Path(f"/proc/{pid}/cmdline").read_bytes()
