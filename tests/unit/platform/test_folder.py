from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from faasioflex.platform.folder import LONGEST_SOCKET_NAME, DataFolder
from faasioflex.platform.lock import FolderInUse, FolderLock, holder
from faasioflex.platform.private_file import make_own, make_private, write_private


def folder_at(path: Path) -> DataFolder:
    folder = DataFolder.at(path)
    make_private(folder.run)
    return folder


def test_sockets_fit_into_a_socket_address_however_long_the_folder_is(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100) / ("y" * 100)
    for root in (Path("/d"), tmp_path, deep):
        folder = DataFolder.at(root)
        assert len(str(folder.instance_sockets)) + LONGEST_SOCKET_NAME < 108
    assert DataFolder.at(deep).sockets != DataFolder.at(deep / "z").sockets
    assert DataFolder.at("/d").sockets == Path("/d/run")


def test_one_holder_at_a_time_and_the_second_learns_its_pid(tmp_path: Path) -> None:
    folder = folder_at(tmp_path)
    assert holder(folder) is None
    first, second = FolderLock(folder), FolderLock(folder)
    first.take()
    assert holder(folder) == os.getpid()
    with pytest.raises(FolderInUse, match=rf"pid {os.getpid()}.*ffx down --data {folder.root}") as caught:
        second.take()
    assert caught.value.pid == os.getpid()
    first.release()
    assert holder(folder) is None
    second.take()
    second.release()


def test_a_folder_that_never_was_is_held_by_nobody(tmp_path: Path) -> None:
    assert holder(DataFolder.at(tmp_path / "nothing")) is None


def test_private_files_are_0600_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("before")
    path.chmod(0o644)
    write_private(path, "after")
    assert path.read_text() == "after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, "before")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "\udc80")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_0700_even_if_they_were_open(tmp_path: Path) -> None:
    path = tmp_path / "open"
    path.mkdir(mode=0o755)
    make_private(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_what_somebody_else_put_in_our_place_is_not_taken(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.mkdir(mode=0o755)
    trap = tmp_path / "trap"
    trap.symlink_to(target)
    with pytest.raises(PermissionError):
        make_own(trap)
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    own = tmp_path / "own"
    make_own(own)
    make_own(own)
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
