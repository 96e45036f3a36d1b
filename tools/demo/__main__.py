"""``make demo``: a platform of its own, used the way people would, told in plain lines with times. Exit 0 if all of it held."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from functions import EXAMPLES, GREETER
from load import Load

from faasioflex.client import Answer, Client, Function
from faasioflex.client.tokens import Bearer
from faasioflex.model.errors import FfxError

FFX = Path(sys.executable).parent / "ffx"
WITHIN_S = 90.0
BUILT_WITHIN_S = 600.0  # a slow machine that fetches a toolchain first


class DemoFailed(Exception):
    """Something was not as it should be."""


def main() -> int:
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="ffx-demo-"))
    failed = None
    try:
        with _platform(folder / "data") as (url, token), Client(url, token=token) as client:
            _deploy_and_call(client)
            _let_others_in(client, url)
            _call_later(client)
            _roll_out_under_load(client, url, token)
            _to_zero_and_back(client)
    except (DemoFailed, FfxError) as error:
        failed = str(error)
        for log in sorted((folder / "data/log").glob("*.log")):
            print(f"--- the end of {log.name}\n{log.read_text(errors='replace')[-1500:]}", file=sys.stderr)
    except KeyboardInterrupt:
        failed = "interrupted"
    shutil.rmtree(folder, ignore_errors=True)
    if failed is not None:
        print(f"The demo failed: {failed}", file=sys.stderr)
        return 1
    _say(f"Done in {time.monotonic() - began:.1f} s. Next: make up, and the tour in README.md.")
    return 0


@contextmanager
def _platform(data: Path) -> Iterator[tuple[str, Path]]:
    """A platform on free ports; yields its URL and the file of its admin's token, stops it and sees that nothing is left."""
    began = time.monotonic()
    _ffx("up", "--data", str(data), "--port", "0", "--detach")
    try:
        document = json.loads((data / "run/platform.json").read_text())
        url = document["gateway_url"]
        _say(f"Started the platform on {url}: {', '.join(sorted(document['processes']))}", began)
        yield url, Path(document["admin_token_file"])
    finally:
        began = time.monotonic()
        _ffx("down", "--data", str(data))
        left = [pid for pid in _processes() if str(data).encode() in pid[1]]
        if left:
            raise DemoFailed(f"processes are left: {[number for number, _ in left]}")
        _say("Stopped it: no process is left", began)


def _deploy_and_call(client: Client) -> None:
    for one in EXAMPLES:
        began = time.monotonic()
        document = {"name": one.name, "runtime": one.runtime, "source": {"files": one.files}}
        if one.first_time:
            _say(f"           Deploying {one.name}: the first time on a machine this {one.first_time}")
        _ready(client.register(document, wait_s=BUILT_WITHIN_S))
        _say(f"Deployed {one.name} ({one.runtime})", began)
        _tell_first_uses(client, one.name)
        began = time.monotonic()
        answer = _good(client.call(one.name, headers={"content-type": one.content_type}, content=one.body))
        _say(f"Called {one.name} with {one.body.decode()}: {answer.body.decode().strip()}", began)


def _let_others_in(client: Client, url: str) -> None:
    """Without a token nobody gets in; a service may what its token says, until that is revoked; public is for all."""
    began = time.monotonic()
    with Client(url) as stranger:
        _refused(_greeting(stranger), 401)
        made = client.create_token(
            "demo", kind="service", namespaces=["admin"], functions=["admin/hello"], verbs=["invoke"], expires_in_s=600
        )
        with Client(url, token=made.token) as service:
            _until(lambda: _greeting(service).status == 200, "a call by the service")
            _refused(service.call("admin/sum", content=b"[1]"), 404)
            client.revoke_token(made.id)
            _until(lambda: _greeting(service).status == 401, "the end of the token")
        client.patch("hello", {"visibility": "public"})
        _until(lambda: _greeting(stranger).status == 200, "a call by anybody")
        client.patch("hello", {"visibility": "private"})
        _until(lambda: _greeting(stranger).status == 401, "hello is private again")
    _say(
        "Called hello without a token: refused; as a service with one: answered, until it was revoked; public: by all",
        began,
    )


def _call_later(client: Client) -> None:
    """Stored before it is answered, run when there is room, repeated without being run again; the outcome is kept."""
    began = time.monotonic()
    made = client.execute("words", "how many words", mode="async", idempotency_key="demo")
    again = client.execute("words", "how many words", mode="async", idempotency_key="demo")
    accepted_s = time.monotonic() - began
    if again.invocation_id != made.invocation_id:
        raise DemoFailed(f"one idempotency key made two calls: {made.invocation_id} and {again.invocation_id}")
    ended = client.invocation(made.invocation_id, wait_s=WITHIN_S)
    if ended.status != "succeeded":
        raise DemoFailed(f"the asynchronous call is {ended.status}: {ended.error}")
    _say(f"Queued a call of words twice with one key ({accepted_s:.3f} s), one was made: {ended.result.strip()}", began)


def _greeting(client: Client) -> Answer:
    return client.call("admin/hello", headers={"content-type": "application/json"}, content=b'{"name": "Ada"}')


def _refused(answer: Answer, status: int) -> None:
    if answer.status != status:
        raise DemoFailed(f"the answer is {answer.status}, not {status}: {answer.body.decode(errors='replace')[:500]}")


def _tell_first_uses(client: Client, name: str) -> None:
    """What this machine had to do for the first time, with its share of the time; nothing where it was all there."""
    lines = list(client.build_log(name))
    for number, line in enumerate(lines):
        if "first use" in line.message:
            ends = (one.time for one in lines[number + 1 :] if one.message.startswith(("fetched ", "== ")))
            took_s = (next(ends, lines[-1].time) - line.time).total_seconds()
            _say(f"           of which {took_s:.1f} s: {line.message.removeprefix('== ')}")


def _roll_out_under_load(client: Client, url: str, token: Path) -> None:
    """Clients call without pause while a new revision takes over: none of them may see an error."""
    began = time.monotonic()
    with Load(f"{url}/f/admin/hello", b'{"name": "Ada"}', Bearer(token)) as load:
        _until(lambda: load.done >= 50, "the first calls under load")
        _ready(client.patch("hello", {"source": {"files": {"main.py": GREETER % "Good day"}}}, wait_s=WITHIN_S))
        _until(lambda: "2" in load.revisions, "an answer of revision 2")
        after = load.done
        _until(lambda: load.done >= after + 200, "calls after the change")
    if load.failures:
        raise DemoFailed(f"{len(load.failures)} of {load.done} calls failed during the roll-out: {load.failures[0]}")
    shares = ", ".join(f"{count} by revision {number}" for number, count in sorted(load.revisions.items()))
    _say(f"Rolled out revision 2 under load: {load.done} calls, 0 failed ({shares})", began)


def _to_zero_and_back(client: Client) -> None:
    began = time.monotonic()
    client.patch("hello", {"scaling": {"min_instances": 0, "idle_s": 1}})
    _until(lambda: client.get("hello").status.state == "idle", "hello has no instance")
    _say("Scaled hello to zero after a second without a call", began)
    began = time.monotonic()
    answer = _good(client.call("hello", headers={"content-type": "application/json"}, content=b'{"name": "Ada"}'))
    start = answer.headers.get("server-timing", "")
    _say(f"Called it again: {answer.body.decode().strip()} ({start or 'no start'})", began)


def _ready(function: Function) -> None:
    latest = function.status.latest
    if function.status.state != "ready" or (latest is not None and latest.state == "failed"):
        raise DemoFailed(f"{function.name} is {function.status.state}: {function.status.message or latest}")


def _good(answer: Answer) -> Answer:
    if answer.status != 200:
        raise DemoFailed(f"the function answered {answer.status}: {answer.body.decode(errors='replace')[:500]}")
    return answer


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        if time.monotonic() > deadline:
            raise DemoFailed(f"not within {WITHIN_S:g} s: {what}")
        time.sleep(0.02)


def _ffx(*arguments: str) -> None:
    done = subprocess.run([FFX, *arguments], capture_output=True, text=True, check=False, timeout=WITHIN_S)
    if done.returncode != 0:
        raise DemoFailed(f"ffx {arguments[0]} ended with {done.returncode}:\n{done.stderr.strip()}")


def _processes() -> Iterator[tuple[int, bytes]]:
    """Pid, and command line with environment."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                yield int(entry.name), (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue


def _say(text: str, began: float | None = None) -> None:
    took = "" if began is None else f"{time.monotonic() - began:7.3f} s  "
    print(f"{took}{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
