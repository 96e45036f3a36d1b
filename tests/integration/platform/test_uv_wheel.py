"""uv without pip: from an index that a machine is set up for, with the standard library only."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import os
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TOOLS = Path(__file__).parents[3] / "tools/install"
FILE = "uv-1.2.3-py3-none-manylinux_2_17_x86_64.whl"


def packed(name: str = "uv-1.2.3.data/scripts/uv") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "#!/bin/sh\necho uv 1.2.3\n")
    return buffer.getvalue()


CONTENT = packed()


class Index(http.server.BaseHTTPRequestHandler):
    """A private index: everything needs the password."""

    def do_GET(self) -> None:
        wanted = "Basic " + base64.b64encode(b"ada:p@ss").decode()
        pages = {"/simple/uv/": f'<a href="../../files/{FILE}#sha256=0">{FILE}</a>'.encode(), f"/files/{FILE}": CONTENT}
        body = pages.get(self.path) if self.headers.get("Authorization") == wanted else None
        self.send_response(401 if self.headers.get("Authorization") != wanted else 404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def index() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """tools/install/wheel.py as it is run: its folder is in the path, nothing of ours or of others is."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.syspath_prepend(str(TOOLS))
    import wheel

    assert Path(str(wheel.__file__)).parent == TOOLS
    yield wheel
    for name in ("wheel", "registries"):
        sys.modules.pop(name, None)


def known(tool: ModuleType, index: str, links: tuple[str, ...] = ()) -> Any:
    return tool.Registries(index=index, find_links=links, cert=None, proxy=None, uv_environment={})


def test_it_comes_from_a_private_index_and_runs(tool: ModuleType, index: str, tmp_path: Path) -> None:
    wheel = tool.Wheel(FILE, hashlib.sha256(CONTENT).hexdigest())
    content = tool.fetch(wheel, known(tool, f"http://ada:p%40ss@{index}"))
    target = tmp_path / "uv"
    tool.unpack(content, target)
    assert os.access(target, os.X_OK)
    assert target.read_text().endswith("echo uv 1.2.3\n")


def test_a_folder_of_wheels_comes_first(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(CONTENT)
    wheel = tool.Wheel(FILE, hashlib.sha256(CONTENT).hexdigest())
    assert tool.fetch(wheel, known(tool, "http://127.0.0.1:9/simple", (str(tmp_path),))) == CONTENT


def test_another_file_under_that_name_is_refused(tool: ModuleType, index: str) -> None:
    with pytest.raises(tool.InstallError, match="sha256 differs"):
        tool.fetch(tool.Wheel(FILE, "0" * 64), known(tool, f"http://ada:p%40ss@{index}"))


@pytest.mark.parametrize(
    ("start", "what"), [("http://", "cannot be read"), ("http://ada:wrong@", "cannot be read"), ("ftp://", "neither")]
)
def test_what_goes_wrong_is_said_without_the_password(tool: ModuleType, index: str, start: str, what: str) -> None:
    with pytest.raises(tool.InstallError, match=what) as caught:
        tool.fetch(tool.Wheel(FILE, "0" * 64), known(tool, start + index))
    assert "wrong" not in str(caught.value)


def test_a_wheel_that_the_index_lacks(tool: ModuleType, index: str) -> None:
    with pytest.raises(tool.InstallError, match="has no uv-9"):
        tool.fetch(tool.Wheel("uv-9.whl", "0" * 64), known(tool, f"http://ada:p%40ss@{index}"))


def test_a_wheel_without_the_program(tool: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(tool.InstallError, match="no program"):
        tool.unpack(packed("uv/__init__.py"), tmp_path / "uv")
    assert list(tmp_path.iterdir()) == []


def test_the_lock_names_a_wheel_for_this_machine(tool: ModuleType) -> None:
    import uv_program

    version, wheels = uv_program._locked(TOOLS.parents[1])
    assert version == uv_program._locked_version(TOOLS.parents[1])
    assert tool.choose(wheels).file.startswith(f"uv-{version}-")
    sys.modules.pop("uv_program")
