"""Fetching a toolchain from its wheel: once, whole, by hash, from where this machine's packages come."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import signal
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from faasioflex.model.errors import Unavailable
from faasioflex.runtime.toolchain import Need, ensure, ensure_async, find
from support.deadline import eventually
from support.package_index import PackageIndex
from support.python_packages import wheel, wheel_name

PROGRAM = "#!/bin/sh\necho tool 2.1.0\n"


@pytest.fixture
def index() -> Iterator[PackageIndex]:
    with PackageIndex() as made:
        yield made


@pytest.fixture
def cache(tmp_path: Path, index: PackageIndex, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it goes; the index is the machine's."""
    monkeypatch.setenv("FFX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
    for name in ("UV_FIND_LINKS", "PIP_FIND_LINKS", "UV_INDEX"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def need(tmp_path: Path, index: PackageIndex, cache: Path) -> Need:
    data = _executable(wheel("tool-bin", "2.1.0", {"tool/bin/tool": PROGRAM, "tool/lib/more.txt": "more"}))
    index.add(wheel_name("tool-bin", "2.1.0"), data)
    lock = tmp_path / "toolchain.lock"
    lock.write_text(f"tool-bin==2.1.0 --hash=sha256:{hashlib.sha256(data).hexdigest()}\n")
    return Need("ffx-test-tool", "tool-bin", "2.1.0", lock, "tool", "bin/tool", ">=2")


def _executable(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for item in source.infolist():
            item.external_attr = (0o700 if item.filename == "tool/bin/tool" else 0o600) << 16
            target.writestr(item, source.read(item.filename))
    return out.getvalue()


def left(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "toolchains").iterdir() if not path.name.endswith(".lock"))


def test_at_the_first_use_and_never_again(need: Need, index: PackageIndex, cache: Path) -> None:
    lines: list[str] = []
    assert find(need) is None
    made = ensure(need, lines.append)
    assert lines == [
        "fetching ffx-test-tool 2.1.0 (first use, about 200 MB on disk)",
        "fetched ffx-test-tool 2.1.0",
    ]
    root = cache / "toolchains/ffx-test-tool-2.1.0/tool"
    assert (made.root, made.fetched, made.inside) == (root, True, "/ffx/toolchain")
    assert stat.S_IMODE((root / "bin/tool").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "lib/more.txt").stat().st_mode) == 0o644
    asked = len(index.asked)
    assert find(need) == ensure(need, lines.append) == made
    assert (len(index.asked), len(lines), left(cache)) == (asked, 2, ["ffx-test-tool-2.1.0"])


async def test_several_at_once_fetch_once(need: Need, index: PackageIndex, cache: Path) -> None:
    lines: list[str] = []
    first, *more = await asyncio.gather(*(ensure_async(need, lines.append) for _ in range(4)))
    assert more == [first] * 3
    assert sum(path.startswith("/files/") for path in index.asked) == 1
    assert lines.count("waiting for ffx-test-tool 2.1.0, which another process fetches") == 3


@pytest.mark.parametrize("what", ["not there", "another one", "refused", "another program", "nobody answers"])
def test_what_cannot_be_had_now(
    need: Need, index: PackageIndex, cache: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "cannot be fetched (tool-bin): "
    if what == "not there":
        index.files.clear()
    elif what == "another one":
        index.add(
            wheel_name("tool-bin", "2.1.0"), wheel("tool-bin", "2.1.0", {"tool/bin/tool": "#!/bin/sh\necho evil\n"})
        )
        words = "Hash mismatch"
    elif what == "refused":
        index.refuses = True
        words = "403"
    elif what == "another program":
        need = replace(need, program="bin/other")
        words = "does not run on this machine"
    else:
        monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(Unavailable) as caught:
        ensure(need, lambda line: None)
    assert words in caught.value.message
    assert "or install ffx-test-tool >=2 on this machine" in caught.value.message
    assert caught.value.retry_after_s == 15
    assert left(cache) == []


async def test_given_up_it_leaves_nothing(need: Need, index: PackageIndex, cache: Path) -> None:
    index.open.clear()
    task = asyncio.create_task(ensure_async(need, lambda line: None))
    await eventually(lambda: index.asked, "the index is asked")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left(cache) == []


async def test_killed_it_is_swept_by_the_next(need: Need, index: PackageIndex, cache: Path, tmp_path: Path) -> None:
    index.open.clear()
    script = (
        "import sys; from pathlib import Path; from faasioflex.runtime.toolchain import Need, ensure;"
        f"ensure(Need('ffx-test-tool', 'tool-bin', '2.1.0', Path({str(need.lock)!r}), 'tool', 'bin/tool', '>=2'), print)"
    )
    killed = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL, start_new_session=True)  # noqa: ASYNC220
    try:
        await eventually(lambda: index.asked, "the index is asked")
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        assert any(name.startswith(".tmp-") for name in left(cache))
        index.open.set()
        assert (await ensure_async(need, lambda line: None)).version == "2.1.0"
        assert left(cache) == ["ffx-test-tool-2.1.0"]
    finally:
        os.killpg(killed.pid, signal.SIGKILL) if killed.poll() is None else None
