"""Every verb can be loaded, and says what it does with an example; wrong usage is 2."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest
import typer

from faasioflex.cli.lazy import load
from faasioflex.cli.main import app
from faasioflex.cli.verbs import VERBS, Verb

COMMAND = typer.main.get_command(app)


def _help_texts(verb: Verb) -> list[str]:
    command = load(verb)
    inner: dict[str, Any] = getattr(command, "commands", {})
    return [command.help or "", *(each.help or "" for each in inner.values())]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_verb_loads_and_has_the_summary_of_the_list_and_an_example(verb: Verb) -> None:
    first, *inner = _help_texts(verb)
    assert first.splitlines()[0] == verb.summary
    for text in (first, *inner):
        assert f"  ffx {verb.name}" in text


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_option_and_argument_is_explained(verb: Verb) -> None:
    command = load(verb)
    for each in getattr(command, "commands", {verb.name: command}).values():
        unexplained = [parameter.name for parameter in each.params if not getattr(parameter, "help", None)]
        assert not unexplained


def test_what_reads_takes_an_output_format() -> None:
    for name in (
        "status",
        "list",
        "get",
        "revisions",
        "traffic",
        "invoke",
        "result",
        "logs",
        "build-log",
        "events",
        "top",
        "version",
    ):
        command = load(next(verb for verb in VERBS if verb.name == name))
        assert any("-o" in parameter.opts for parameter in command.params), name


def test_no_option_takes_a_token_itself() -> None:
    for verb in VERBS:
        assert all("--token" not in parameter.opts for parameter in load(verb).params), verb.name


@pytest.mark.parametrize(
    "arguments",
    [["nope"], ["get"], ["scale", "hello", "-1"], ["list", "--output", "xml"], ["get", "hello", "--nope"], []],
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        COMMAND.main(arguments, prog_name="ffx")
    assert ended.value.code == 2


def test_a_misspelled_verb_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        COMMAND.main(["revison"], prog_name="ffx")
    assert "Did you mean revisions" in capsys.readouterr().err


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        COMMAND.main(["--help"], prog_name="ffx")
    assert ended.value.code == 0
    text = capsys.readouterr().out
    folded = " ".join(text.split())
    assert all(f"\n  {verb.name} " in text and verb.summary in folded for verb in VERBS)


def test_verbs_live_in_the_command_line() -> None:
    for verb in VERBS:
        module = import_module(verb.target.partition(":")[0])
        assert inspect.getdoc(module), f"{module.__name__} says nothing of itself"
