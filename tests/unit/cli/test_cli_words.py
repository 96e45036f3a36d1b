"""Sizes, durations, times, splits and tables as people write and read them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import typer
import yaml
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.cli import output
from faasioflex.cli.events import event_text
from faasioflex.cli.logs import build_text, log_text, moment
from faasioflex.cli.output import Output
from faasioflex.cli.traffic import _split
from faasioflex.cli.units import duration_s, pairs, size_bytes, size_text
from faasioflex.client.models import Event, LogLine

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "size"), [("128M", 128 << 20), ("1.5GiB", 3 << 29), ("65536", 65536), ("64kb", 65536), ("2 G", 2 << 30)]
)
def test_sizes(text: str, size: int) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("10m", 600), ("1h30m", 5400), ("250ms", 0.25), ("45", 45), ("2d", 172800)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@given(st.text(max_size=12))
def test_every_text_is_a_duration_or_wrong_usage(text: str) -> None:
    try:
        assert duration_s(text) >= 0
    except typer.BadParameter:
        return


@pytest.mark.parametrize("text", ["", "fast", "-5s", "10x", "5 s 3", "s", "1m1"])
def test_what_is_no_duration_is_wrong_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        duration_s(text)


@pytest.mark.parametrize("text", ["", "big", "-5M", "1P"])
def test_what_is_no_size_is_wrong_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        size_bytes(text)


def test_sizes_are_shown_in_the_unit_that_fits() -> None:
    assert [size_text(size) for size in (12, 2048, 128 << 20, 3 << 29)] == ["12 B", "2 KiB", "128 MiB", "1.5 GiB"]


def test_since_is_ago_or_a_time() -> None:
    assert moment("10m", NOW) == datetime(2030, 1, 31, 11, 50, tzinfo=UTC)
    assert moment("2030-01-01T00:00", NOW) == datetime(2030, 1, 1, tzinfo=UTC)
    with pytest.raises(typer.BadParameter):
        moment("yesterday", NOW)


def test_splits() -> None:
    assert _split(["3=90", "4=10%"]) == {3: 90, 4: 10}


@pytest.mark.parametrize("shares", [["3=90"], ["3"], ["3=x"], ["3=50", "3=50"], ["3=150", "4=-50"]])
def test_what_is_no_split_is_wrong_usage(shares: list[str]) -> None:
    with pytest.raises(typer.BadParameter):
        _split(shares)


def test_pairs() -> None:
    assert pairs(["A=1=2", "B="], "--env") == {"A": "1=2", "B": ""}
    with pytest.raises(typer.BadParameter, match="--env"):
        pairs(["A"], "--env")


def test_a_table_without_a_terminal_is_plain_and_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    output.rows(("name", "n"), [("a" * 100, 1), ("b", None)], empty="none")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["NAME" + " " * 98 + "N", "a" * 100 + "  1", "b" + " " * 101 + "-"]


def test_no_lines_are_said_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    output.rows(("name",), [], empty="none yet")
    assert capsys.readouterr() == ("", "none yet\n")


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert output.cell("a\x1b[2Jb\nc") == "a\N{REPLACEMENT CHARACTER}[2Jb c"


@pytest.mark.parametrize(("kind", "parse"), [(Output.json, json.loads), (Output.yaml, yaml.safe_load)])
def test_documents_come_out_as_they_are(kind: Output, parse: object, capsys: pytest.CaptureFixture[str]) -> None:
    document = {"name": "hé", "list": [1, None]}
    output.show(kind, document, lambda: None)
    assert callable(parse)
    assert parse(capsys.readouterr().out) == document


def test_a_stream_as_json_is_a_document_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_line(Output.json, {"message": "a\nb"}, "unused")
    assert capsys.readouterr().out == '{"message": "a\\nb"}\n'


def test_a_log_line_says_when_who_and_what() -> None:
    line = LogLine("hi", NOW, 3, "i-1", "stderr")
    assert log_text(line) == "2030-01-31 12:00:00.000 r3 i-1 stderr | hi"


@pytest.mark.parametrize(
    "character", ["\r", "\x1b", "\x85", "\u2028", "\u2029", "\u202a", "\u202e", "\u2066", "\u2069"]
)
def test_what_a_function_wrote_steers_nothing(character: str) -> None:
    """Piped as well: what ``ffx logs | grep`` finds is printed on a terminal after all."""
    line = LogLine(f"a{character}b\t\u00e9\u200d", NOW, 3, "i-1", "stderr")
    assert log_text(line).endswith("stderr | a\ufffdb\t\u00e9\u200d")
    assert build_text(line) == "a\ufffdb\t\u00e9\u200d"


def test_programs_get_a_log_line_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    raw = {"message": "a\r\x1b[2J\u202e"}
    output.show_line(Output.json, raw, "unused")
    assert json.loads(capsys.readouterr().out) == raw
    output.show_line(Output.yaml, raw, "unused")
    assert yaml.safe_load(capsys.readouterr().out) == raw


def test_an_event_says_when_what_and_whose() -> None:
    event = Event("1", "faasioflex.function.deployed", subject="acme/hello", time=NOW, data={"revision": 3, "deep": {}})
    assert event_text(event) == "2030-01-31 12:00:00 function.deployed acme/hello revision=3"
