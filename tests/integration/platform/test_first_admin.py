from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import argon2
import pytest

from faasioflex.platform import first_admin
from faasioflex.platform.folder import DataFolder
from support.platform_process import Platform, run_ffx

MakePlatform = Callable[..., Platform]
PASSWORD = re.compile(r"One-time password: +(\S+)")


def holds(folder: Path, text: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_the_first_start_tells_a_password_once_and_keeps_it_nowhere(new_platform: MakePlatform) -> None:
    platform = new_platform().start()
    found = PASSWORD.findall(platform.output())
    assert len(found) == 1
    assert len(found[0]) >= 20
    assert "admin@localhost" in platform.output()
    assert holds(platform.data, found[0]) == []
    assert platform.stop() == 0


def test_it_reaches_the_terminal_of_a_detached_start(short_folder: Path) -> None:
    data = short_folder / "d"
    try:
        done = run_ffx("up", "--data", str(data), "--port", "0", "--detach")
        assert done.returncode == 0
        found = PASSWORD.findall(done.stderr)
        assert len(found) == 1
        assert holds(data, found[0]) == []
    finally:
        run_ffx("down", "--data", str(data))


def test_only_its_hash_is_handed_over(tmp_path: Path) -> None:
    folder = DataFolder.at(tmp_path)
    password = first_admin.make(folder, "ada@example.test")
    assert stat.S_IMODE(folder.first_admin.stat().st_mode) == 0o600
    kept = json.loads(folder.first_admin.read_text())
    assert kept["email"] == "ada@example.test"
    assert argon2.PasswordHasher().verify(kept["password_hash"], password)
    assert password not in folder.first_admin.read_text()
    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        argon2.PasswordHasher().verify(kept["password_hash"], password + "x")
