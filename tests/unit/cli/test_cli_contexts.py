"""Which platform is meant: flags, the data folder, the context in use, the one on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faasioflex.cli import context
from faasioflex.cli.connect import DEFAULT_URL, resolve
from faasioflex.cli.contexts import Context, Contexts, config_file
from faasioflex.client.tokens import Bearer
from faasioflex.model.errors import BadRequest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "FFX_TOKEN", "FFX_CA_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def _platform(data: Path, url: str, token: str | None = None) -> Path:
    run = data / "run"
    run.mkdir(parents=True)
    token_file = None
    if token:
        token_file = run / "admin.jwt"
        token_file.write_text(token + "\n")
    document = {"gateway_url": url, "admin_token_file": token_file and str(token_file)}
    (run / "platform.json").write_text(json.dumps(document))
    return data


def _in_use(url: str) -> None:
    Contexts().with_context(Context("lab", url, namespace="team")).using("lab").save()


def test_nothing_said_and_nothing_running_is_the_usual_port() -> None:
    assert resolve(None, None, None).url == DEFAULT_URL


def test_the_platform_on_this_machine_is_found_with_its_token(home: Path) -> None:
    _platform(home / ".local/share/faasioflex", "http://127.0.0.1:9001", "t0ken")
    target = resolve(None, None, None)
    assert (target.url, target.namespace) == ("http://127.0.0.1:9001", None)
    assert Bearer(target.token).now() == "t0ken"


def test_the_context_in_use_goes_over_the_local_platform_and_flags_over_both(home: Path) -> None:
    _platform(home / ".local/share/faasioflex", "http://127.0.0.1:9001")
    other = _platform(home / "other", "http://127.0.0.1:9002")
    _in_use("https://lab.example")
    assert (resolve(None, None, None).url, resolve(None, None, None).namespace) == ("https://lab.example", "team")
    assert resolve(None, None, other).url == "http://127.0.0.1:9002"
    assert resolve("http://said", None, other).url == "http://said"
    Contexts.load().using(None).save()
    assert resolve(None, None, None).url == "http://127.0.0.1:9001"


def test_a_data_folder_without_a_platform_is_said_to_be_one(home: Path) -> None:
    with pytest.raises(BadRequest, match="no platform runs in"):
        resolve(None, None, home / "empty")


def test_the_token_comes_from_the_file_else_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FFX_TOKEN", "of-environment")
    assert resolve("http://x", None, None).token == "of-environment"
    (home / "token").write_text("of-file\n")
    assert Bearer(resolve("http://x", home / "token", None).token).now() == "of-file"
    with pytest.raises(BadRequest, match="cannot be read"):
        resolve("http://x", home / "none", None)


def test_contexts_are_written_read_and_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    context.create(name="lab", url="https://lab.example", token_file=Path("t"), use=True)
    context.create(name="home", url="http://127.0.0.1:1")
    assert config_file().stat().st_mode & 0o777 == 0o600
    held = Contexts.load()
    assert held.used == "lab"
    assert held.known["lab"] == Context("lab", "https://lab.example", token_file=str(Path("t").absolute()))
    context.use_context("home")
    assert Contexts.load().used == "home"
    context.delete_context("home")
    assert (Contexts.load().used, list(Contexts.load().known)) == (None, ["lab"])
    capsys.readouterr()
    context.list_contexts()
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["*", "local", "(the", "platform", "on", "this", "machine)"],
        ["lab", "https://lab.example"],
    ]


def test_a_context_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadRequest, match="no context 'lab'"):
        context.use_context("lab")


@pytest.mark.parametrize("text", ["context = ", "[contexts.lab]\nnamespace = 'x'"])
def test_a_broken_file_is_named(text: str) -> None:
    config_file().parent.mkdir(parents=True)
    config_file().write_text(text)
    with pytest.raises(BadRequest, match=r"config\.toml"):
        Contexts.load()
