"""Real shells complete real lines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.ffx_command import Ffx
from support.small_platform import SmallPlatform

BASH = """
source <(ffx completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_ffx_completion ffx
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
source <(ffx completion zsh)
(( $+functions[_ffx_completion] )) || exit 3
[[ ${_comps[ffx]} == _ffx_completion ]] || exit 4
compadd() { print -r -- "$@" }
_arguments() { print -r -- "$@" }
_describe() { print -rl -- "${(@P)${@[-1]}}" }
words=("$@"); CURRENT=$#
_ffx_completion
"""
FISH = "ffx completion fish | source\ncomplete --do-complete '{line}'\n"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An empty home, and the command in PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FFX_", "XDG_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return kept | {"HOME": str(tmp_path), "PATH": path, "FFX_URL": "http://127.0.0.1:9"}


def _shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}")
    return found


def _run(command: list[str], environment: dict[str, str], folder: Path) -> list[str]:
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def _bash(environment: dict[str, str], folder: Path, *words: str) -> list[str]:
    return _run([_shell("bash"), "--norc", "--noprofile", "-c", BASH, "bash", *words], environment, folder)


@pytest.mark.parametrize(
    ("words", "among"),
    [
        (("ffx", "de"), {"deploy", "delete", "dev"}),
        (("ffx", "deploy", "--no"), {"--no-traffic", "--no-wait"}),
        (("ffx", "new", "x", "--runtime", ""), {"python", "exec", "bash"}),
        (("ffx", "list", "-o", "j"), {"json"}),
        (("ffx", "context", "use", ""), {"local"}),
        (("ffx", "dev", "hello", "--send", ""), {"ada", "headers"}),
    ],
)
def test_bash_completes_without_a_platform(
    environment: dict[str, str], tmp_path: Path, words: tuple[str, ...], among: set[str]
) -> None:
    (tmp_path / "hello" / "requests").mkdir(parents=True)
    for name in ("ada.json", "headers.http", "notes.md"):
        (tmp_path / "hello" / "requests" / name).touch()
    found = _bash(environment, tmp_path, *words)
    assert among <= set(found)
    assert all(word.startswith(words[-1]) for word in found)


def test_bash_completes_names_and_namespaces_from_the_platform(
    hello: Ffx, platform: SmallPlatform, environment: dict[str, str], tmp_path: Path
) -> None:
    here = environment | {"FFX_URL": platform.url, "FFX_TOKEN": platform.token}

    def found(*words: str) -> list[str]:
        """Asked again where nothing came: on a busy machine the platform may take more than its second."""
        deadline = time.monotonic() + 60
        while not (words_found := _bash(here, tmp_path, *words)) and time.monotonic() < deadline:
            pass
        return words_found

    assert found("ffx", "get", "h") == ["hello"]
    assert found("ffx", "logs", "admin/") == ["admin/hello"]
    assert found("ffx", "list", "--namespace", "a") == ["admin"]


def test_a_platform_that_is_down_is_no_words_and_no_wait(environment: dict[str, str], tmp_path: Path) -> None:
    assert _bash(environment, tmp_path, "ffx", "get", "h") == []


def test_a_platform_that_never_answers_is_not_waited_for(environment: dict[str, str], tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        here = environment | {"FFX_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        begun = time.monotonic()
        assert _bash(here, tmp_path, "ffx", "get", "h") == []
        assert time.monotonic() - begun < 15  # it would be 30 and more


def test_bash_completes_what_is_typed_at_a_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    import pty

    master, slave = pty.openpty()
    shell = [_shell("bash"), "--norc", "--noprofile", "-i"]
    process = subprocess.Popen(
        shell, env=environment | {"TERM": "dumb", "PS1": "$ "}, cwd=tmp_path, stdin=slave, stdout=slave, stderr=slave,
        start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    try:
        os.write(master, b"source <(ffx completion bash); echo is-$((40+2))\n")
        _read_until(master, b"is-42")
        os.write(master, b"ffx rollb\t")
        _read_until(master, b"ffx rollback ")
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_zsh_completes(environment: dict[str, str], tmp_path: Path) -> None:
    words = _run([_shell("zsh"), "-f", "-c", ZSH, "zsh", "ffx", "rollb"], environment, tmp_path)
    assert any("rollback" in word for word in words)


def test_fish_completes(environment: dict[str, str], tmp_path: Path) -> None:
    words = _run([_shell("fish"), "--no-config", "-c", FISH.format(line="ffx rollb")], environment, tmp_path)
    assert "rollback" in words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_script_names_the_command(ffx: Ffx, shell: str) -> None:
    done = ffx("completion", shell)
    assert done.code == 0
    assert f"_FFX_COMPLETE=complete_{shell}" in done.out


def _read_until(descriptor: int, wanted: bytes, within_s: float = 60) -> None:
    import select

    seen, until = b"", time.monotonic() + within_s
    while wanted not in seen:
        ready, _, _ = select.select([descriptor], [], [], max(until - time.monotonic(), 0))
        assert ready, f"{wanted!r} has not come: {seen!r}"
        seen += os.read(descriptor, 4096)
