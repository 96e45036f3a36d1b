"""``ffx dev``: one function here, as it would be on a platform, reloaded on every save."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.dev_command import FFX, DevCommand, processes_of

MAIN = """
import os, threading, time

GATE = "{gate}"

def handle(event, context):
    if event.path == "/slow":
        print("waits")
        while not os.path.exists(GATE):
            time.sleep(0.01)
        return "VERSION slow"
    if event.path == "/crash":
        os._exit(3)
    if event.path == "/env":
        return [os.environ.get("COLOUR"), os.environ.get("SECRET"), os.environ.get("HOME_OF_TESTS")]
    if event.path == "/headers":
        return {name: event.headers[name] for name in event.headers}
    print("said by VERSION")
    return "VERSION"
"""
YAML = "name: hello\nruntime: python\nenv: {COLOUR: blue, SECRET: none}\nlimits: {payload_bytes: 1000}\n"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Short, for sockets."""
    with TemporaryDirectory(prefix="ffxd-") as folder:
        yield Path(folder).resolve()


@pytest.fixture(scope="module")
def dev(place: Path) -> Iterator[DevCommand]:
    folder = place / "hello"
    (folder / "requests").mkdir(parents=True)
    (folder / "main.py").write_text(_main("one", place))
    (folder / "function.yaml").write_text(YAML)
    (folder / ".env").write_text("SECRET=hunter2\nEMPTY\n")
    (folder / "requests" / "ada.json").write_text('{"name": "Ada"}')
    (place / "t").mkdir()
    with DevCommand(folder, place / "t") as running:
        running.says("serves after")
        yield running
        running.interrupt()
        assert running.process.returncode == 0
    assert "hunter2" not in running.said
    assert processes_of(place / "t") == []
    assert [one.name for one in (place / "t").iterdir()] == ["cache"]


def _main(version: str, place: Path) -> str:
    return MAIN.replace("VERSION", version).replace("{gate}", str(place / "gate"))


def _saved(dev: DevCommand, version: str, place: Path) -> None:
    times = dev.said.count("main.py changed: serves after")
    dev.write("main.py", _main(version, place))
    dev.says("main.py changed: serves after", times + 1)


def test_it_answers_at_the_root_and_where_the_platform_would(dev: DevCommand) -> None:
    with dev.client() as client:
        assert client.get("/").text == client.get("/f/admin/hello").text == "one"
        elsewhere = client.get("/f/admin/other")
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "not-found")


def test_calls_have_the_header_fields_of_the_gateway(dev: DevCommand) -> None:
    with dev.client() as client:
        forged = {"X-Request-Id": "mine-1", "X-Ffx-Function": "forged", "X-Forwarded-For": "6.6.6.6"}
        answer = client.get("/headers", headers=forged)
    seen = {name.lower(): value for name, value in answer.json().items()}
    assert (seen["x-request-id"], seen["x-forwarded-prefix"]) == ("mine-1", "/f/admin/hello")
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert "forged" not in seen.values()
    assert answer.headers["x-request-id"] == "mine-1"
    assert answer.headers["content-security-policy"] == "sandbox allow-scripts allow-forms"
    assert int(answer.headers["ffx-revision"]) >= 1


def test_its_environment_is_the_manifests_with_dotenv_over_it_and_none_of_ours(dev: DevCommand) -> None:
    with dev.client() as client:
        assert client.get("/env").json() == ["blue", "hunter2", None]
    assert ".env sets SECRET" in dev.said


def test_limits_hold(dev: DevCommand) -> None:
    with dev.client() as client:
        assert client.post("/", content=b"x" * 1001).status_code == 413


def test_what_it_writes_and_every_call_is_a_line_with_the_calls_id(dev: DevCommand) -> None:
    with dev.client() as client:
        client.get("/", headers={"X-Request-Id": "abcdefgh-and-more"})
    dev.says(" abcdefgh said by")
    assert re.search(r"^\d\d:\d\d:\d\d\.\d{3} call  abcdefgh GET /  200  \d+\.\d ms$", dev.said, re.MULTILINE)


def test_sample_requests_are_told_with_a_line_to_paste(dev: DevCommand) -> None:
    line = next(one for one in dev.said.splitlines() if "ada.json" in one)
    command = line.partition("curl")[1:]
    done = subprocess.run("".join(command), shell=True, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "one"


def test_a_save_is_answered_by_the_new_code_and_calls_under_way_end_in_the_old(dev: DevCommand, place: Path) -> None:
    with ThreadPoolExecutor() as pool, dev.client() as client:
        slow = pool.submit(client.get, "/slow")
        dev.says(" waits")
        _saved(dev, "two", place)
        assert client.get("/").text == "two"
        assert not slow.done()
        (place / "gate").touch()
        assert slow.result(60).text == "one slow"


def test_code_that_does_not_load_changes_nothing_until_it_is_mended(dev: DevCommand, place: Path) -> None:
    dev.write("main.py", "def handle(event, context: pass\n")
    dev.says("what served before goes on")
    assert f'File "{dev.folder}/main.py", line 1' in dev.said  # not that of the copy which ran
    with dev.client() as client:
        assert client.get("/").text in ("one", "two")
        _saved(dev, "three", place)
        assert client.get("/").text == "three"


def test_a_manifest_that_is_wrong_changes_nothing_and_one_that_is_right_does(dev: DevCommand) -> None:
    before = dev.said.count("function.yaml changed: serves")
    dev.write("function.yaml", YAML + "limitz: {}\n")
    dev.says("did you mean 'limits'")
    dev.write("function.yaml", YAML.replace("blue", "green"))
    dev.says("function.yaml changed: serves", before + 1)
    with dev.client() as client:
        assert client.get("/env").json()[0] == "green"


def test_an_instance_that_dies_is_started_again(dev: DevCommand) -> None:
    before = dev.said.count("started again: serves")
    with dev.client() as client:
        assert client.post("/crash").status_code == 502
        dev.says("started again: serves", before + 1)
        assert client.get("/").status_code == 200
    assert "the instance has ended: ended by itself with exit code 3" in dev.said


def test_files_that_stay_at_home_are_no_change(dev: DevCommand, place: Path) -> None:
    (dev.folder / "__pycache__").mkdir(exist_ok=True)
    (dev.folder / "__pycache__" / "main.pyc").write_bytes(b"x")
    _saved(dev, "four", place)  # what is said of it comes after what would have been said of the other
    assert "pyc" not in dev.said


def test_a_mistake_at_the_start_waits_for_a_fix(place: Path) -> None:
    folder, temporary = place / "late", place / "t2"
    folder.mkdir()
    temporary.mkdir()
    (folder / "run.sh").write_text("no program at all\n")
    (folder / "function.yaml").write_text("name: late\nruntime: exec\nhandler: missing.sh\n")
    with DevCommand(folder, temporary) as dev:
        dev.says("waiting for a change")
        with dev.client() as client:
            answer = client.get("/")
            assert (answer.status_code, answer.json()["code"]) == (503, "start-failed")
            dev.write("run.sh", "#!/bin/sh\necho ran\n")
            dev.write("function.yaml", "name: late\nruntime: exec\nhandler: run.sh\n")
            dev.says("serves after")
            assert client.get("/").text == "ran\n"


def _ffx(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FFX_")}
    return subprocess.run(
        [*FFX, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_one_sample_is_sent_without_a_terminal(tmp_path: Path) -> None:
    assert _ffx("new", "hello", "--runtime", "exec", folder=tmp_path).returncode == 0
    done = _ffx("dev", "hello", "--send", "ada", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "Hello, Ada!\n"), done.stderr
    (tmp_path / "hello" / "handle.sh").write_text("#!/bin/sh\nexit 4\n")
    assert _ffx("dev", "hello", "--send", "ada.json", folder=tmp_path).returncode == 1
    unknown = _ffx("dev", "hello", "--send", "bob", folder=tmp_path)
    assert unknown.returncode == 1
    assert "there are ada.json" in unknown.stderr


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    _ffx("new", "hello", "--runtime", "exec", folder=tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = _ffx("dev", "hello", "--port", str(port), folder=tmp_path)
    assert done.returncode == 1
    assert f"port {port} is in use: name another one with --port" in done.stderr
    assert "code: port-in-use" in done.stderr


def test_secrets_come_from_a_file_that_stays_at_home(place: Path):
    folder = place / "secretive"
    folder.mkdir()
    (folder / "main.py").write_text("def handle(event, context):\n    return context.secret('db-password')\n")
    (folder / "function.yaml").write_text("name: secretive\nruntime: python\nsecrets: [db-password, other]\n")
    (folder / ".env.secrets").write_text("db-password=correct horse\nunlisted=x\n")
    (place / "s").mkdir()
    with DevCommand(folder, place / "s") as running:
        running.says("serves after")
        running.says("no value for the secrets other")
        with running.client() as client:
            assert client.get("/").text == "correct horse"
            running.write(".env.secrets", "db-password=battery staple\nother=1\n")
            running.says("serves after", 2)
            assert client.get("/").text == "battery staple"
        assert "battery" not in running.said
        running.interrupt()
