"""The command against a small platform, in this process: what it prints, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from faasioflex.cli.main import main
from support.ffx_command import Done, Ffx
from support.small_platform import SmallPlatform


@pytest.fixture
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallPlatform]:
    with SmallPlatform(tmp_path_factory.mktemp("p")) as small:
        yield small


@pytest.fixture
def ffx(
    platform: SmallPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ffx:
    """``ffx("list", "-o", "json")``: runs the command in an empty folder that is also its home."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "FFX_DATA", "FFX_TOKEN", "FFX_CA_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FFX_URL", platform.url)
    monkeypatch.setenv("FFX_TOKEN", platform.token)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["ffx", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        code = ended.value.code
        return Done(code if isinstance(code, int) else 1, captured.out, captured.err)

    return run


@pytest.fixture
def hello(ffx: Ffx) -> Ffx:
    """The same, with the function admin/hello deployed from the folder hello."""
    assert ffx("new", "hello").code == 0
    done = ffx("deploy", "hello")
    assert done.code == 0, done.err
    return ffx
