"""The machine's npm registry, as npm's files and environment say it; nothing else of them."""

from __future__ import annotations

from pathlib import Path

from faasioflex.manager.builder.npm.settings import machine_settings
from faasioflex.manager.builder.npm.words import explain, worth_reading


def test_the_users_file_over_the_machines_and_the_environment_over_both(tmp_path: Path) -> None:
    everybody = tmp_path / "npmrc"
    everybody.write_text("registry=https://all.example/\nfetch-retries=5\nprefix=/usr\n")
    (tmp_path / ".npmrc").write_text(
        "; a comment\nregistry = https://mine.example/\n//mine.example/:_authToken=${TOKEN}\n"
        '@acme:registry="https://acme.example/"\nscript-shell=/bin/evil\nignore-scripts=false\ngit=/bin/evil\nnoise\n'
    )
    environ = {
        "TOKEN": "s3cret",
        "npm_config_fetch_retries": "1",
        "npm_config_cache": "/x",
        "HTTPS_PROXY": "http://p:1",
    }
    found = machine_settings(environ, tmp_path, (everybody,))
    assert set(found.lines) == {
        'registry = "https://mine.example/"',
        '//mine.example/:_authToken = "s3cret"',
        '@acme:registry = "https://acme.example/"',
        'fetch-retries = "1"',
    }
    assert found.passed_on == {"HTTPS_PROXY": "http://p:1"}


def test_files_that_are_not_there_say_nothing(tmp_path: Path) -> None:
    found = machine_settings({"npm_config_cafile": str(tmp_path / "none.pem")}, tmp_path, (tmp_path / "none",))
    assert (found.lines, found.cafile, found.certificates) == ((), None, None)


def test_certificates_are_shown_as_files(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    environ = {"NPM_CONFIG_CAFILE": str(tmp_path / "ca.pem"), "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    found = machine_settings(environ, tmp_path, ())
    assert (found.lines, found.cafile, found.certificates) == ((), tmp_path / "ca.pem", tmp_path / "ca.pem")


def test_npms_words_without_its_usage_notes() -> None:
    lines = [
        "npm error code EUSAGE",
        "npm error",
        "npm error `npm ci` can only install packages when your package.json and package-lock.json are in sync.",
        "npm error Missing: is-odd@3.0.1 from lock file",
        "npm error Usage:",
        "npm error [--no-bin-links] [--no-fund]",
        "npm error     Sets the strategy",
        "npm error Log files were not written due to the config logs-max=0",
    ]
    assert explain(lines) == (
        "fetch packages: package.json and its lock file do not say the same: run `npm install` and deploy both: "
        "Missing: is-odd@3.0.1 from lock file"
    )
    assert [line for line in lines if worth_reading(line)] == [lines[0], lines[3]]
    assert explain(["npm error code ENEW", "npm error what"]) == "fetch packages: npm failed (ENEW): what"
    assert explain(["boom"]) == "fetch packages: npm failed: boom"
