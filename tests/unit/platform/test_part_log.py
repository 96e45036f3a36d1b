from __future__ import annotations

from pathlib import Path

from faasioflex.platform.supervisor.part_log import LONGEST_LINE_BYTES, REMEMBERED_LINES, PartLog


def test_lines_come_whole_however_the_pipe_cuts_them(tmp_path: Path) -> None:
    seen: list[str] = []
    log = PartLog(tmp_path / "a.log", 1000, 3, seen.append)
    for piece in (b"on", b"e\ntwo\n", b"\xff\n\nth", b"ree\r\n", b"rest"):
        log.write(piece)
    assert seen == ["one", "two", "\ufffd", "three"]
    assert log.last_lines() == seen
    assert (tmp_path / "a.log").read_bytes() == b"one\ntwo\n\xff\n\nthree\r\nrest"
    log.close()


def test_the_files_are_bounded_in_size_and_number(tmp_path: Path) -> None:
    log = PartLog(tmp_path / "a.log", 100, 3, lambda _: None)
    for number in range(100):
        log.write(b"%030d\n" % number)
    log.close()
    files = {path.name: path for path in tmp_path.iterdir()}
    assert set(files) == {"a.log", "a.log.1", "a.log.2"}
    assert all(path.stat().st_size <= 100 for path in files.values())
    kept = b"".join(files[name].read_bytes() for name in ("a.log.2", "a.log.1", "a.log")).split()
    assert [int(line) for line in kept] == list(range(100 - len(kept), 100))  # the newest, in order, none lost between


def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    for _ in range(2):
        log = PartLog(tmp_path / "a.log", 10, 2, lambda _: None)
        log.write(b"1234567\n")
        log.close()
    assert (tmp_path / "a.log.1").read_bytes() == (tmp_path / "a.log").read_bytes() == b"1234567\n"


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    seen: list[str] = []
    log = PartLog(tmp_path / "a.log", 10_000_000, 2, seen.append)
    for _ in range(40):
        log.write(b"x" * 10_000)
    log.close()
    assert seen
    assert max(map(len, seen)) <= LONGEST_LINE_BYTES + 10_000


def test_only_the_newest_lines_are_remembered(tmp_path: Path) -> None:
    log = PartLog(tmp_path / "a.log", 10_000, 2, lambda _: None)
    log.write(b"".join(b"%d\n" % n for n in range(100)))
    assert log.last_lines() == [str(n) for n in range(100 - REMEMBERED_LINES, 100)]
    log.close()
