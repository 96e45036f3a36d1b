"""On a real platform: who sees secrets and tokens of functions, and what a function may with its own token."""

from __future__ import annotations

import base64
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.platform_process import Platform, environment

SECRET = "correct horse battery staple"
SECRETS = "/namespaces/admin/secrets"
MASTER = base64.b64encode(bytes(range(32))).decode()
PROBE = {
    "main.py": (
        "import traceback\n"
        "def handle(event, context):\n"
        "    names = {'context': context}\n"
        "    try:\n"
        "        exec(event.text(), names)\n"
        "    except BaseException:\n"
        "        return {'error': traceback.format_exc()}\n"
        "    return {'result': names.get('result')}\n"
    )
}
SCALING = {"min_instances": 1, "max_instances": 1}
pytestmark = pytest.mark.timeout(300)


class World:
    def __init__(self, platform: Platform, client: httpx.Client) -> None:
        self.platform, self.client = platform, client

    def deploy(self, name: str, **fields: Any) -> None:
        document = {"name": name, "runtime": "python", "source": {"files": PROBE}, "scaling": SCALING, **fields}
        made = self.client.post("/functions/register?wait_s=60", json=document)
        assert made.status_code == 201, made.text
        assert made.json()["status"]["state"] == "ready", made.text

    def inside(self, name: str, source: str) -> Any:
        answer = self.client.post(f"/f/admin/{name}", content=source, headers={"Content-Type": "text/plain"})
        assert answer.status_code == 200, answer.text
        assert "error" not in answer.json(), answer.json()["error"]
        return answer.json()["result"]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="ffx-secrets-"))
    platform = Platform(folder / "d")
    before = os.environ.get("FFX_SECRETS_KEY")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("support.platform_process.environment", lambda: environment(FFX_SECRETS_KEY=MASTER))
            platform.start()
        assert os.environ.get("FFX_SECRETS_KEY") == before
        with platform.client() as client:
            made = World(platform, client)
            assert client.put(f"{SECRETS}/key", json={"value": SECRET}).status_code == 201
            made.deploy("keeper", secrets=["key"])
            made.deploy("other")
            yield made
    finally:
        platform.end()
        shutil.rmtree(folder, ignore_errors=True)


def eventually(happened: Any, what: str, within_s: float) -> float:
    begun = time.monotonic()
    while not happened():
        assert time.monotonic() - begun < within_s, what
        time.sleep(0.02)
    return time.monotonic() - begun


def test_a_change_is_there_within_two_seconds(world: World):
    assert world.inside("keeper", "result = context.secret('key')") == SECRET
    world.client.put(f"{SECRETS}/key", json={"value": "changed for a while"})
    try:
        eventually(
            lambda: world.inside("keeper", "result = context.secret('key')") == "changed for a while", "the change", 2
        )
    finally:
        world.client.put(f"{SECRETS}/key", json={"value": SECRET})
        eventually(lambda: world.inside("keeper", "result = context.secret('key')") == SECRET, "the change back", 2)


def test_another_function_has_nothing_of_it(world: World):
    found = world.inside(
        "other",
        "import os, glob\n"
        "result = {'secrets': os.listdir('/run/ffx/secrets'), 'run': os.listdir('/run'), 'shm': os.listdir('/dev/shm'),\n"
        "  'readable': [p for p in glob.glob('/proc/*/root/run/ffx/secrets/*') if os.access(p, os.R_OK)]}",
    )
    assert found == {"secrets": [], "run": ["ffx"], "shm": [], "readable": []}


def test_the_files_cannot_be_changed_from_inside(world: World):
    tried = world.inside(
        "keeper",
        "import os\nresult = []\n"
        "for work in (lambda: open('/run/ffx/token', 'w'), lambda: os.chmod('/run/ffx/token', 0o666),\n"
        "             lambda: os.unlink('/run/ffx/secrets/key'), lambda: open('/run/ffx/secrets/more', 'w'),\n"
        "             lambda: os.rename('/run/ffx/secrets', '/run/ffx/x')):\n"
        "    try:\n        work(); result.append('done')\n"
        "    except OSError as error:\n        result.append('refused')\n",
    )
    assert tried == ["refused"] * 5


def test_the_master_key_and_the_platforms_folder_are_out_of_reach(world: World):
    data = str(world.platform.data)
    found = world.inside(
        "keeper",
        "import os, glob\n"
        f"result = {{'there': os.path.exists({data!r}), 'environ': [open(p, 'rb').read().decode('latin-1')\n"
        "  for p in glob.glob('/proc/[0-9]*/environ') if os.access(p, os.R_OK)]}",
    )
    assert found["there"] is False
    assert not any(MASTER in one or "FFX_SECRETS_KEY" in one for one in found["environ"])


def test_only_the_process_that_needs_the_master_key_has_it(world: World):
    holders = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables = (process / "environ").read_bytes().split(b"\0")
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        assert MASTER.encode() not in command
        if f"FFX_DATA={world.platform.data.resolve()}".encode() in variables and any(
            one.startswith(b"FFX_SECRETS_KEY=") for one in variables
        ):
            holders.add(int(process.name))
    assert holders <= {world.platform.pids["control"], world.platform.document()["pid"]}  # and who was started with it
    assert not (world.platform.data / "identity/master.key").exists()


def test_values_and_tokens_are_nowhere_in_clear(world: World):
    token = world.inside("keeper", "print(context.secret('key'), context.token()); result = context.token()")
    answers = [
        world.client.get(path).text
        for path in (SECRETS, f"{SECRETS}/key", "/functions/admin/keeper", "/functions/admin/keeper/revisions")
    ]

    def said() -> str:
        return world.client.get("/functions/admin/keeper/logs").text

    eventually(lambda: "*** ***" in said(), "the masked line", 10)
    hidden = [SECRET.encode(), base64.b64encode(SECRET.encode()), token.encode()]
    for text in (*answers, said(), world.platform.output()):
        assert not any(value in text.encode() for value in hidden)
    for path in world.platform.data.rglob("*"):  # the registry, the streams, the logs
        if path.is_file() and not path.is_symlink():
            assert not any(value in path.read_bytes() for value in hidden), path
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("environ", "cmdline"):
            try:
                content = (process / name).read_bytes()
            except OSError:
                continue
            assert not any(value in content for value in hidden), process


def _call(path: str) -> str:
    return (
        "import os, urllib.request, urllib.error\n"
        f"request = urllib.request.Request(os.environ['FFX_URL'] + {path!r}, data=b'result = context.principal', headers=\n"
        "  {'Authorization': 'Bearer ' + context.token(), 'Content-Type': 'text/plain', 'X-Ffx-User': 'u-local'})\n"
        "try:\n    with urllib.request.urlopen(request) as answer: result = [answer.status, answer.read().decode()]\n"
        "except urllib.error.HTTPError as error: result = [error.code, error.read().decode()]\n"
    )


def test_a_function_calls_what_it_was_granted_and_nothing_else(world: World):
    world.deploy("target")
    status, refused = world.inside("keeper", _call("/f/admin/target"))
    never = world.inside("keeper", _call("/f/admin/never-there"))
    assert (status, never[0]) == (404, 404)
    assert json.loads(refused)["detail"] == json.loads(never[1])["detail"].replace("never-there", "target")
    given = world.client.put("/functions/admin/target/grants/function:admin%2Fkeeper", json={"verbs": ["invoke"]})
    assert given.status_code == 201, given.text
    eventually(lambda: world.inside("keeper", _call("/f/admin/target"))[0] == 200, "the grant holds", 5)
    answer = json.loads(world.inside("keeper", _call("/f/admin/target"))[1])
    assert answer["result"] == {"user": "f-admin.keeper", "groups": [], "email": ""}
    assert world.inside("other", _call("/f/admin/target"))[0] == 404
    token = world.inside("keeper", "result = context.token()")
    with httpx.Client(
        base_url=world.platform.url, headers={"Authorization": f"Bearer {token}"}, trust_env=False
    ) as own:
        assert own.get(SECRETS).status_code in (403, 404)
        assert own.put(f"{SECRETS}/key", json={"value": "x"}).status_code in (403, 404)
        assert own.get("/functions/admin/target/logs").status_code in (403, 404)
        assert own.post("/tokens", json={"name": "more"}).status_code in (403, 404)


def test_the_files_are_gone_with_the_instance(world: World):
    world.deploy("gone", secrets=["key"])

    def folders() -> list[Path]:
        return [path for path in Path("/dev/shm").glob("ffx-*/*/secrets/key") if path.read_text() == SECRET]

    assert len(folders()) == 2
    assert world.client.delete("/functions/admin/gone").status_code == 204
    eventually(lambda: len(folders()) == 1, "its files are gone", 10)
