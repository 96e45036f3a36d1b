"""Signs of life: on a terminal only, and never in what is read on."""

from __future__ import annotations

import io
import sys

import pytest

from faasioflex.cli import working


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _terminal(monkeypatch: pytest.MonkeyPatch) -> _Terminal:
    """Called in the test itself: pytest sets sys.stderr anew between a fixture and its test."""
    fake = _Terminal()
    monkeypatch.setattr(sys, "stderr", fake)
    monkeypatch.setenv("TERM", "xterm")
    return fake


def test_without_a_terminal_only_lines_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    data = io.BytesIO(b"x" * 2 * working.SHOWN_FROM_BYTES)
    with working.working("Deleting"), working.shown_while_read(data, 2 * working.SHOWN_FROM_BYTES, "Sending") as file:
        assert file is data
    with working.telling("Waiting") as tell:
        tell("a line [with brackets]")
    assert capsys.readouterr() == ("", "a line [with brackets]\n")


def test_on_a_terminal_lines_stand_above_the_spinner_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _terminal(monkeypatch)
    with working.telling("Waiting") as tell:
        tell("a line [with brackets]")
    assert "a line [with brackets]\n" in terminal.getvalue()


def test_an_upload_shows_how_far_it_is_and_can_be_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _terminal(monkeypatch)
    data = b"x" * 2 * working.SHOWN_FROM_BYTES
    with working.shown_while_read(io.BytesIO(data), len(data), "Sending hello") as file:
        assert len(file.read()) == len(data)
        file.seek(0)
        assert len(file.read()) == len(data)
    assert "Sending hello" in terminal.getvalue()
    assert "100%" in terminal.getvalue()


def test_a_small_upload_is_not_worth_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _terminal(monkeypatch)
    with working.shown_while_read(io.BytesIO(b"x"), 1, "Sending") as file:
        file.read()
    assert terminal.getvalue() == ""
