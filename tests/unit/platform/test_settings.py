from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from faasioflex.model.errors import Invalid
from faasioflex.platform.settings import Settings


def test_defaults_are_the_documented_ones() -> None:
    settings = Settings.load({}, {})
    assert (settings.host, settings.port, settings.runtime) == ("127.0.0.1", 8080, "sandbox")
    assert not settings.secure


def test_every_setting_says_its_unit_and_its_reason() -> None:
    for field in dataclasses.fields(Settings):
        assert field.metadata["unit"], field.name
        assert len(field.metadata["reason"]) > 10, field.name


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('port = 1\nlog_files = 2\nlog-level = "debug"\n')
    environment = {"FFX_PORT": "3", "FFX_LOG_FILES": "4", "FFX_URL": "not a setting", "FFX_HOST": ""}
    settings = Settings.load({"port": 5, "host": None}, environment, file)
    assert (settings.port, settings.log_files, settings.log_level, settings.host) == (5, 4, "debug", "127.0.0.1")


def test_a_file_can_be_yaml(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("port: 9\nnats_sync_interval_s: 0\n")
    settings = Settings.load({}, {}, file)
    assert (settings.port, settings.nats_sync_interval_s) == (9, 0.0)


def test_paths_in_a_file_are_relative_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('data = "here"\n')
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert Settings.load({}, {}, file).folder.root == (tmp_path / "here").resolve()
    assert Settings.load({"data": "there"}, {}, file).folder.root == (elsewhere / "there").resolve()


def test_the_default_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/x/share")
    assert Settings.load({}, {}).folder.root == Path("/x/share/faasioflex")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/ada")
    assert Settings.load({}, {}).folder.root == Path("/home/ada/.local/share/faasioflex")


def test_the_environment_for_parts_is_read_back_the_same(tmp_path: Path) -> None:
    given = {
        "data": str(tmp_path),
        "port": 0,
        "tls_cert": "/a.pem",
        "functions_host": "fn.example.org",
        "tls_key": "/b.pem",
        "nats_sync_interval_s": 1.5,
        "runtime": "process",
    }
    settings = Settings.load(given, {})
    assert Settings.load({}, settings.to_environment()) == settings
    assert settings.to_environment()["FFX_DATA"] == str(tmp_path)


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"port": 70000}, "/port"),
        ({"port": "eighty"}, "/port"),
        ({"port": True}, "/port"),
        ({"host": ["a"]}, "/host"),
        ({"runtime": "jail"}, "/runtime"),
        ({"tls": "yes"}, "/tls"),
        ({"tls_cert": "a.pem"}, "/tls_cert"),
        ({"functions_host": "fn.example.org:8080"}, "/functions_host"),
        ({"functions_host": "https://fn"}, "/functions_host"),
        ({"tls": "self-signed", "tls_cert": "a", "tls_key": "b"}, "/tls"),
        ({"log_level": "loud"}, "/log_level"),
        ({"log_files": 0}, "/log_files"),
        ({"nats_max_payload_bytes": 10}, "/nats_max_payload_bytes"),
        ({"nats_sync_interval_s": -1}, "/nats_sync_interval_s"),
        ({"prot": 80}, "/prot"),
    ],
)
def test_wrong_settings_are_named(given: dict[str, object], pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        Settings.load(given, {})
    assert [error.pointer for error in caught.value.errors] == [pointer]


@pytest.mark.parametrize("content", ["port = ", "[1]", ""])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "settings.toml"
    if content:
        file.write_text(content)
    with pytest.raises(Invalid, match=r"settings\.toml|settings are wrong"):
        Settings.load({}, {}, file)


def test_the_documentation_is_up_to_date() -> None:
    tool = Path(__file__).parents[3] / "tools/make_settings_docs.py"
    done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("gateway", "functions"),
    [
        ("http://127.0.0.1:8080", "http://fn.example.org:8080"),
        ("https://127.0.0.1:8443", "https://fn.example.org:8443"),
        ("https://example.org", "https://fn.example.org"),
    ],
)
def test_functions_with_a_host_of_their_own_have_a_url_there(gateway: str, functions: str) -> None:
    assert Settings.load({"functions_host": "fn.example.org"}, {}).functions_url(gateway) == functions
    assert Settings.load({}, {}).functions_url(gateway) == ""


@pytest.mark.parametrize(("text", "value"), [("true", True), ("0", False), ("Yes", True)])
def test_a_truth_is_a_word(text: str, value: bool) -> None:
    assert Settings.load({}, {"FFX_INSECURE_PLAIN_HTTP": text}).insecure_plain_http is value
    settings = Settings.load({"insecure_plain_http": value}, {})
    assert Settings.load({}, settings.to_environment()).insecure_plain_http is value
    with pytest.raises(Invalid, match="true or false"):
        Settings.load({"insecure_plain_http": "perhaps"}, {})


@pytest.mark.parametrize(
    "url", ["lab.example", "ftp://lab.example", "https://lab.example/x", "https://a@b", "https://h:x"]
)
def test_a_public_url_is_scheme_host_and_port(url: str) -> None:
    with pytest.raises(Invalid, match="public_url"):
        Settings.load({"public_url": url}, {})


def test_the_public_url_is_what_others_are_told() -> None:
    assert Settings.load({}, {}).url("http://127.0.0.1:8080") == "http://127.0.0.1:8080"
    settings = Settings.load({"public_url": "https://lab.example:8443/", "functions_host": "f.example"}, {})
    assert settings.url("http://127.0.0.1:8080") == "https://lab.example:8443"
    assert settings.functions_url("http://127.0.0.1:8080") == "https://f.example:8443"
    assert settings.host_names == {"lab.example"}
