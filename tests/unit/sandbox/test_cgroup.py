"""Control groups on folders that look like the kernel's: version 2 is not on every test machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from faasioflex.runtime.sandbox.cgroup import Limit, Mount, base_name, memberships, mounts, quota_us, sweep
from faasioflex.runtime.sandbox.cgroup1 import Groups1
from faasioflex.runtime.sandbox.cgroup2 import Groups2

HYBRID = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 31 0:33 /docker/ab /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""


def test_mounts_are_read_with_their_controllers() -> None:
    found = {str(mount.at): mount for mount in mounts(HYBRID)}
    assert set(found) == {"/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/unified"}
    assert {"cpu", "cpuacct"} <= found["/sys/fs/cgroup/cpu,cpuacct"].options
    assert found["/sys/fs/cgroup/unified"].kind == "cgroup2"


def test_memberships_by_controller() -> None:
    found = memberships("4:memory:/a\n3:cpu,cpuacct:/b\n0::/c\n")
    assert (found["memory"], found["cpuacct"], found[""]) == ("/a", "/b", "/c")


@pytest.mark.parametrize(
    ("root", "path", "expected"),
    [("/", "/a/b", "a/b"), ("/docker/ab", "/docker/ab/x", "x"), ("/docker/ab", "/other", "")],
)
def test_a_group_is_found_below_the_part_that_is_mounted(tmp_path: Path, root: str, path: str, expected: str) -> None:
    assert Mount(tmp_path, root, "cgroup", frozenset()).place(path) == (tmp_path / expected).resolve()


def test_a_quota_is_never_below_the_kernel_s_least() -> None:
    assert quota_us(0.5) == 50_000
    assert quota_us(0.0001) == 1_000


def _tree(folder: Path, *, given: str = "", procs: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.controllers").write_text("cpuset cpu io memory pids")
    (folder / "cgroup.subtree_control").write_text(given)
    (folder / "cgroup.procs").write_text(procs)
    return folder


def test_version_2_where_it_was_delegated(tmp_path: Path) -> None:
    own = _tree(tmp_path / "user" / "ffx.scope", procs="10\n11\n")
    mount = Mount(tmp_path, "/", "cgroup2", frozenset())
    groups = Groups2.find([mount], {"": "/user/ffx.scope"}, "ffx-x", lambda pid: True)
    assert groups is not None
    assert groups.controllers >= {"memory", "pids", "cpu"}
    assert (own / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert (own / "ffx-platform" / "cgroup.procs").read_text() == "11"  # the last that moved
    (own / "ffx-x").mkdir(exist_ok=True)
    group = groups.make("i-1", Limit(memory_bytes=64, processes=9))
    folder = own / "ffx-x" / "i-1"
    assert (folder / "memory.max").read_text() == "64"
    assert (folder / "pids.max").read_text() == "9"
    assert (folder / "cpu.weight").read_text() == "100"
    group.limit_cpu(0.5)
    assert (folder / "cpu.max").read_text() == "50000 100000"
    (folder / "memory.events").write_text("low 0\noom_kill 1\n")
    assert group.killed_for_memory()
    (folder / "memory.current").write_text("1000")
    (folder / "memory.stat").write_text("anon 300\ninactive_file 400\n")
    assert (group.memory_bytes(), group.anonymous_bytes()) == (600, 300)


def test_a_stranger_s_process_is_never_moved(tmp_path: Path) -> None:
    own = _tree(tmp_path / "session", procs="10\n")
    mount = Mount(tmp_path, "/", "cgroup2", frozenset())
    Groups2.find([mount], {"": "/session"}, "ffx-x", lambda pid: False)
    assert not (own / "ffx-platform").exists()


def test_without_memory_and_pids_version_2_is_not_taken(tmp_path: Path) -> None:
    own = _tree(tmp_path)
    (own / "cgroup.controllers").write_text("hugetlb")
    assert Groups2.find([Mount(tmp_path, "/", "cgroup2", frozenset())], {"": "/"}, "ffx-x", lambda pid: True) is None


def test_version_1_takes_the_controllers_that_it_may_write(tmp_path: Path) -> None:
    places = {}
    for name in ("memory", "pids"):
        places[name] = tmp_path / name
        places[name].mkdir()
    mounted = [Mount(path, "/", "cgroup", frozenset({name})) for name, path in places.items()]
    mounted.append(Mount(tmp_path / "absent", "/", "cgroup", frozenset({"cpu"})))
    groups = Groups1.find(mounted, {}, "ffx-x")
    assert groups is not None
    assert groups.controllers == {"memory", "pids"}
    group = groups.make("i-1", Limit(memory_bytes=64, processes=9))
    assert (tmp_path / "pids" / "ffx-x" / "i-1" / "pids.max").read_text() == "9"
    assert len(group.join_files()) == 2
    group.limit_cpu(1.0)  # there is no controller for it: nothing happens
    assert group.cpu_s() is None


def _memory_1(folder: Path, *files: str) -> Groups1:
    """A memory tree of version 1 whose group ``i-1`` is there, with what the kernel would have put into it."""
    group = folder / "ffx-x" / "i-1"
    group.mkdir(parents=True)
    for file in files:
        (group / file).write_text("0")
    groups = Groups1.find([Mount(folder, "/", "cgroup", frozenset({"memory"}))], {"memory": "/"}, "ffx-x")
    assert groups is not None
    return groups


def test_version_1_counts_the_buffers_of_sockets(tmp_path: Path) -> None:
    tcp = "memory.kmem.tcp"
    groups = _memory_1(tmp_path, f"{tcp}.limit_in_bytes", f"{tcp}.usage_in_bytes")
    group = groups.make("i-1", Limit(memory_bytes=64, processes=9))
    folder = tmp_path / "ffx-x" / "i-1"
    assert (folder / f"{tcp}.limit_in_bytes").read_text() == (folder / "memory.limit_in_bytes").read_text() == "64"
    (folder / f"{tcp}.usage_in_bytes").write_text("50\n")
    (folder / "memory.usage_in_bytes").write_text("40\n")
    (folder / "memory.stat").write_text("rss 20\ninactive_file 15\n")
    assert (group.total_bytes(), group.memory_bytes(), group.anonymous_bytes()) == (90, 75, 70)


def test_version_1_of_a_kernel_that_does_not_count_them(tmp_path: Path) -> None:
    group = _memory_1(tmp_path).make("i-1", Limit(memory_bytes=64, processes=9))
    folder = tmp_path / "ffx-x" / "i-1"
    assert not list(folder.glob("memory.kmem.*"))
    (folder / "memory.usage_in_bytes").write_text("40\n")
    assert group.total_bytes() == 40


def test_empty_groups_of_installations_that_are_gone_are_removed(tmp_path: Path) -> None:
    gone, lives, other = base_name(Path("/gone")), base_name(Path("/lives")), "ffx-platform"
    for name in (gone, lives, other):
        (tmp_path / name / "i-1").mkdir(parents=True)
    holds = tmp_path / base_name(Path("/holds")) / "i-2"
    holds.mkdir(parents=True)
    (holds / "cgroup.procs").write_text(
        "1\n"
    )  # the kernel refuses to remove a group with processes, as this file does here
    sweep(tmp_path, {lives})
    assert {path.name for path in tmp_path.iterdir()} == {lives, other, holds.parent.name}


def test_a_build_weighs_less_than_a_function(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    groups = Groups1.find([Mount(tmp_path / "cpu", "/", "cgroup", frozenset({"cpu"}))], {"cpu": "/"}, "ffx-x")
    assert groups is not None
    groups.make("i-1", Limit(1, 1))
    groups.make("b-1", Limit(1, 1, cpu_weight=25))
    shares = [int((tmp_path / "cpu" / "ffx-x" / name / "cpu.shares").read_text()) for name in ("i-1", "b-1")]
    assert shares == [1024, 256]


def test_version_2_limits_again_and_freezes(tmp_path: Path) -> None:
    own = _tree(tmp_path / "user" / "ffx.scope")
    groups = Groups2.find(
        [Mount(tmp_path, "/", "cgroup2", frozenset())], {"": "/user/ffx.scope"}, "ffx-x", lambda _: True
    )
    assert groups is not None
    group = groups.make("i-1", Limit(memory_bytes=64, processes=9))
    folder = own / "ffx-x" / "i-1"
    group.limit_memory(128)
    assert (folder / "memory.max").read_text() == "128"
    assert not group.freeze(frozen=True)  # a kernel from before 5.2
    (folder / "cgroup.freeze").write_text("0")
    assert group.freeze(frozen=True)
    assert (folder / "cgroup.freeze").read_text() == "1"
    assert group.freeze(frozen=False)
    assert (folder / "cgroup.freeze").read_text() == "0"
    (folder / "cgroup.procs").write_text("7\n9\n")
    assert group.processes() == {7, 9}


def test_version_1_never_has_less_with_swap_than_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = _memory_1(tmp_path, "memory.memsw.limit_in_bytes").make("i-1", Limit(memory_bytes=64, processes=9))
    written: list[str] = []
    write_text = Path.write_text

    def noted(path: Path, value: str, encoding: str) -> int:
        written.append(f"{path.name}={value}")
        return write_text(path, value, encoding)

    monkeypatch.setattr(Path, "write_text", noted)
    group.limit_memory(128)
    group.limit_memory(32)
    plain, with_swap = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"
    assert written == [f"{with_swap}=128", f"{plain}=128", f"{plain}=32", f"{with_swap}=32"]
