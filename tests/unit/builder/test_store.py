"""Folders of the store; what strangers leave in one goes, whatever its modes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faasioflex.manager.builder.store import BUILDS, Store, remove, seal


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "builds")
    made.sweep()
    return made


async def _keep(store: Store, key: str, text: str = "") -> None:
    async with store.aside(BUILDS) as folder:
        (folder / "file").write_text(text)
        store.keep(BUILDS, key, folder)


async def test_the_first_stays(store: Store) -> None:
    await _keep(store, "a", "first")
    await _keep(store, "a", "second")
    found = store.find(BUILDS, "a")
    assert found is not None
    assert (found / "file").read_text() == "first"
    assert os.listdir(store.root / BUILDS) == ["a"]


async def test_what_was_not_kept_is_gone(store: Store) -> None:
    async def fail() -> None:
        async with store.aside(BUILDS) as folder:
            (folder / "file").write_text("x")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await fail()
    assert os.listdir(store.root / BUILDS) == []


async def test_a_folder_that_cannot_be_kept_is_an_error(store: Store) -> None:
    (store.root / BUILDS).mkdir()
    (store.root / BUILDS / "a").write_text("a file is in its place")
    with pytest.raises(OSError, match="Not a directory"):
        await _keep(store, "a")


async def test_two_collections_have_to_agree(store: Store) -> None:
    for key in ("a", "b", "c"):
        await _keep(store, key)
    assert await store.collect(BUILDS, {"a"}) == []
    assert store.find(BUILDS, "b")
    assert await store.collect(BUILDS, {"a"}) == ["c"]
    assert store.keys(BUILDS) == {"a", "b"}
    assert await store.collect(BUILDS, {"a", "b"}) == []
    assert await store.collect(BUILDS, {"a"}) == []
    assert await store.collect(BUILDS, {"a"}) == ["b"]


async def test_the_sweep_spares_what_is_being_made(store: Store) -> None:
    (store.root / BUILDS / ".tmp-left").mkdir(parents=True)
    async with store.aside(BUILDS) as folder:
        store.sweep()
        assert os.listdir(store.root / BUILDS) == [folder.name]


def test_unreadable_folders_are_removed(tmp_path: Path) -> None:
    deep = tmp_path / "top/one/two/three"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    (deep / "link").symlink_to("/etc")
    for folder in (deep, deep.parent, deep.parent.parent):
        folder.chmod(0)
    remove(tmp_path / "top")
    assert os.listdir(tmp_path) == []
    assert Path("/etc").is_dir()


def test_a_seal_follows_no_link_and_leaves_only_files_and_folders(tmp_path: Path) -> None:
    top, outside = tmp_path / "top", tmp_path / "outside"
    (top / "closed").mkdir(parents=True)
    (top / "closed/tool").write_text("x")
    (top / "closed/tool").chmod(0o4700)
    (top / "data").write_text("x")
    (top / "data").chmod(0o666)
    (top / "closed").chmod(0)
    os.mkfifo(top / "pipe")
    outside.write_text("x")
    outside.chmod(0o600)
    (top / "link").symlink_to(outside)
    seal(top)
    modes = {str(path.relative_to(top)): path.lstat().st_mode & 0o7777 for path in top.rglob("*")}
    assert modes == {"closed": 0o755, "closed/tool": 0o755, "data": 0o644, "link": 0o777}
    assert outside.stat().st_mode & 0o777 == 0o600
