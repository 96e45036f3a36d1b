"""The cure that ``ffx doctor`` names is that of the setting which stands in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from faasioflex.runtime.capabilities import disk, free_port, userns_cure


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
        ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "/etc/apparmor.d/ffx-bwrap"),
    ],
)
def test_the_cure_lifts_what_forbids(tmp_path: Path, setting: str, value: str, words: str) -> None:
    (tmp_path / setting).parent.mkdir(parents=True)
    (tmp_path / setting).write_text(f"{value}\n")
    assert words in userns_cure(tmp_path)


def test_the_apparmor_profile_is_of_the_program_that_is_used(tmp_path: Path) -> None:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel/apparmor_restrict_unprivileged_userns").write_text("1\n")
    cure = userns_cure(tmp_path)
    assert "/bwrap flags=(unconfined)" in cure
    assert r"userns,\n" in cure


def test_without_any_of_them_there_is_still_a_sentence(tmp_path: Path) -> None:
    assert userns_cure(tmp_path)


def test_disk_is_looked_at_where_the_folder_will_be(tmp_path: Path) -> None:
    assert str(tmp_path) in disk(tmp_path / "not" / "yet").detail


def test_a_port_that_is_taken_has_a_cure() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        finding = free_port("127.0.0.1", server.getsockname()[1])
    assert finding.level == "fail"
    assert "--port" in (finding.cure or "")
