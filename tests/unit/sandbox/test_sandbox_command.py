from __future__ import annotations

from pathlib import Path

from faasioflex.runtime.isolation import Shown
from faasioflex.runtime.sandbox.command import View, arguments

VIEW = View(
    argv=("python", "start.py"),
    env={"SECRET": "s3cret"},
    cwd="/ffx/code",
    etc=Path("/state/etc"),
    shown=(Shown(Path("/data/a"), "/ffx/code"), Shown(Path("/data/w"), "/job", writable=True)),
    tmp_bytes=1234567,
)


def _made(view: View = VIEW, block: int | None = None) -> list[str]:
    return arguments(view, [str(source) for source in view.sources], [20, 21], 22, block)


def test_everything_is_unshared() -> None:
    made = _made()
    for kind in ("user", "pid", "ipc", "uts", "net"):
        assert f"--unshare-{kind}" in made
    assert {"--disable-userns", "--die-with-parent", "--new-session", "--clearenv"} <= set(made)


def test_only_what_is_asked_for_is_writable() -> None:
    made = _made()
    writable = [made[at + 1 : at + 3] for at, option in enumerate(made) if option in ("--bind", "--dev-bind")]
    assert writable == [["/data/w", "/job"]]


def test_no_limit_of_tmp_is_no_limit_of_ours() -> None:
    made = _made(View(**{**VIEW.__dict__, "tmp_bytes": 0}))
    sizes = [int(made[at + 1]) for at, option in enumerate(made) if option == "--size"]
    assert len(sizes) == made.count("--tmpfs") == 3
    assert all(size > 0 for size in sizes)


def test_terminals_are_hidden_for_good() -> None:
    made = _made()
    hidden = made.index("/dev/pts")
    assert made.index("--dev") < hidden
    assert made[hidden - 1 : hidden + 3] == ["--tmpfs", "/dev/pts", "--remount-ro", "/dev/pts"]


def test_the_root_is_sealed_after_the_last_mount() -> None:
    made = _made()
    last_mount = max(
        at for at, option in enumerate(made) if option in ("--ro-bind", "--bind", "--tmpfs", "--dev", "--proc")
    )
    assert made.index("/", last_mount) == made.index("--remount-ro", last_mount) + 1


def test_both_filters_and_the_descriptors_are_named() -> None:
    made = _made(block=23)
    assert [made[at + 1] for at, option in enumerate(made) if option == "--add-seccomp-fd"] == ["20", "21"]
    assert made[made.index("--json-status-fd") + 1] == "22"
    assert made[made.index("--block-fd") + 1] == "23"
    assert "--block-fd" not in _made()
