"""docs/add-a-language.md: its folders are made as printed and run functions."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from faasioflex.runtime.language import Language, language
from support.platform_process import Platform, run_ffx, wait_for
from support.runtime_instance import run_check, run_instance

PAGE = Path(__file__).parents[2] / "docs/add-a-language.md"
FILE = re.compile(r"^`([a-z]+/[^`\n]+)`:\n```[a-z]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LETTER = "Dear {body},\nthank you.\n"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="ffx"))
    found.chmod(0o755)  # sandboxes of other users read it
    yield found
    shutil.rmtree(found)


@pytest.fixture(scope="module")
def printed(folder: Path) -> Path:
    """The runtimes of the page."""
    runtimes = folder / "runtimes"
    files = FILE.findall(PAGE.read_text("utf-8"))
    for name, text in files:
        (runtimes / name).parent.mkdir(parents=True, exist_ok=True)
        (runtimes / name).write_text(text)
    assert {name for name, _ in files} >= {"awk/runtime.toml", "awk/template/handle.awk.tmpl", "letter/server.py"}
    return runtimes


@pytest.fixture(scope="module")
def platform(folder: Path, printed: Path) -> Iterator[Platform]:
    settings = folder / "settings.toml"
    settings.write_text(f'runtimes = "{printed.name}"\n')
    found = Platform(folder / "d", "--config", str(settings))
    try:
        found.start()
        wait_for(found.ready, 60, "ready")
        yield found
    finally:
        found.end()


def test_the_short_way_from_its_template_to_an_answer(platform: Platform, folder: Path, printed: Path) -> None:
    def ffx(*arguments: str) -> str:
        here = {"FFX_URL": platform.url, "FFX_TOKEN": platform.token}
        done = run_ffx(*arguments, FFX_RUNTIMES=str(printed), HOME=str(folder), **here)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    function = str(folder / "shout")
    ffx("new", function, "--runtime", "awk")
    ffx("test", function)
    ffx("deploy", function, "--wait")
    assert ffx("invoke", "shout", "--raw", "-d", "hello") == "HELLO\n"
    assert "awk" in httpx.get(f"{platform.url}/openapi.json").json()["components"]["schemas"]["FunctionIn"][
        "properties"]["runtime"]["enum"]  # fmt: skip


def test_the_server_of_its_own_on_a_platform(platform: Platform) -> None:
    def register(name: str, files: dict[str, str]) -> httpx.Response:
        body = {"name": name, "runtime": "letter", "source": {"files": files}}
        return httpx.post(f"{platform.url}/functions/register?wait_s=60", json=body, timeout=90, auth=platform.auth)

    made = register("thanks", {"letter.txt": LETTER})
    assert (made.status_code, made.json()["status"]["state"]) == (201, "ready")
    answer = httpx.post(f"{platform.url}/f/admin/thanks", content="Ada", timeout=30, auth=platform.auth)
    assert (answer.status_code, answer.text) == (200, "Dear Ada,\nthank you.\n")

    status = register("empty", {"other.txt": ""}).json()["status"]
    assert (status["state"], "letter.txt is missing" in status["message"]) == ("failed", True)


@pytest.fixture
def letter(printed: Path, tmp_path: Path) -> tuple[Language, Path]:
    (tmp_path / "letter.txt").write_text(LETTER)
    return language("letter", printed), tmp_path


async def test_what_the_server_owes(letter: tuple[Language, Path]) -> None:
    async with run_instance(*letter, concurrency=1) as instance:
        reader, writer = await instance.connect()
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\nx-request-id: r-1\r\ncontent-length: 3\r\n\r\nA")
        async with instance.client() as client, asyncio.timeout(20):
            while (refused := await client.post("/", content=b"Bob")).status_code == 200:
                await asyncio.sleep(0.01)  # the other has not been read yet
        assert (refused.status_code, refused.headers["x-ffx-overflow"]) == (429, "1")
        instance.terminate()
        writer.write(b"da")
        assert (await asyncio.wait_for(reader.readuntil(b"you.\n"), 20)).startswith(b"HTTP/1.1 200 OK\r\n")
        await instance.logged("3 bytes", "r-1")
        assert await instance.ended() == 0
        writer.close()


async def test_a_check_without_a_letter(letter: tuple[Language, Path]) -> None:
    kind, code = letter
    assert await run_check(kind, code) == (0, "")
    exit_code, said = await run_check(kind, code, handler="reply.txt")
    assert (exit_code, said.startswith("reply.txt is missing: ")) == (1, True)
