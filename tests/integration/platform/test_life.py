"""From ``ffx up`` to the last process gone."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from faasioflex.bus import nats
from faasioflex.platform.folder import DataFolder
from support.platform_process import FFX, STOPPED_WITHIN_S, Platform, processes_with, run_ffx, wait_for

pytestmark = pytest.mark.slow  # all of them together

MakePlatform = Callable[..., Platform]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_serves_and_stops_leaving_nothing(new_platform: MakePlatform, number: signal.Signals) -> None:
    platform = new_platform().start()
    document = platform.document()
    assert httpx.get(f"{document['gateway_url']}/readyz").status_code == 200
    assert httpx.get(f"{document['api_url']}/healthz").status_code == 200
    assert document["issuer"] == f"{platform.url}/oidc"
    assert platform.token.count(".") == 2
    assert stat.S_IMODE(Path(document["admin_token_file"]).stat().st_mode) == 0o600
    assert set(document["processes"]) == {"nats", "envoy", "launcher", "egress", "control", "invoker"}
    assert platform.process
    assert document["pid"] == platform.process.pid  # ffx up itself: nothing in between
    assert processes_with(platform.data).keys() >= {document["pid"], *document["processes"].values()}
    assert platform.stop(number) == 0
    assert processes_with(platform.data) == {}
    assert not (platform.data / "run/platform.json").exists()
    assert [path for path in (platform.data / "run").rglob("*") if path.is_socket()] == []
    assert "Traceback" not in platform.output()


def test_what_it_keeps_is_closed_to_others(platform: Platform) -> None:
    assert mode(platform.data) == 0o700
    for path in (platform.data / "run").iterdir():
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path
    for path in (platform.data / "log").iterdir():
        assert mode(path) == 0o600, path


def test_credentials_are_in_no_command_line(platform: Platform) -> None:
    _, _, password = platform.nats_credentials()
    assert len(password) >= 32
    assert password not in json.dumps(platform.document())
    assert [command for command in processes_with(platform.data).values() if password in command] == []


async def test_the_bus_takes_only_who_has_the_password(platform: Platform) -> None:
    address, user, password = platform.nats_credentials()
    bus = await nats.connect(address, user, password, name="test")
    assert bus.connected
    await bus.close()
    with pytest.raises(Exception, match=r"(?i)authori|unavailable|connect"):
        await nats.connect(address, user, "wrong", name="test", wait_s=1)


def test_every_part_but_the_gateway_listens_where_only_we_may_connect(platform: Platform) -> None:
    """TCP listeners of the installation: the gateway's port and NATS's, both on loopback."""
    inodes = set()
    for pid in processes_with(platform.data):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(os.readlink(descriptor))
            except OSError:
                continue
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                listening.add(fields[1])
    ports = {int(platform.url.rpartition(":")[2]), int(platform.document()["nats_url"].rpartition(":")[2])}
    assert {int(address.partition(":")[2], 16) for address in listening} == ports
    assert {address.partition(":")[0] for address in listening} == {"0100007F"}


def test_a_second_one_on_the_folder_is_refused_with_the_pid(platform: Platform) -> None:
    for more in ([], ["--detach"]):
        done = platform.run("up", "--port", "0", *more)
        assert done.returncode == 1
        assert f"pid {platform.document()['pid']}" in done.stderr
        assert "folder-in-use" in done.stderr
    assert platform.ready()


def test_port_0_is_the_same_at_the_next_start_if_it_is_free(new_platform: MakePlatform) -> None:
    platform = new_platform().start()
    before = platform.url
    assert platform.stop() == 0
    assert platform.start().url == before
    assert platform.stop() == 0
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(before.rpartition(":")[2])))
        taken.listen()
        assert platform.start().url != before


def test_detached_it_returns_when_ready_and_down_stops_it(new_platform: MakePlatform) -> None:
    platform = new_platform()
    done = platform.run("up", "--port", "0", "--detach")
    try:
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == platform.url
        assert platform.ready()
        pid = platform.document()["pid"]
        assert os.getsid(pid) == pid
    finally:
        stopped = platform.run("down")
    assert stopped.returncode == 0, stopped.stderr
    assert processes_with(platform.data) == {}
    again = platform.run("down")
    assert again.returncode == 0
    assert "No platform runs" in again.stderr


@pytest.mark.parametrize("more", [[], ["--detach"]])
def test_a_port_in_use_is_an_error_that_says_what_to_do(new_platform: MakePlatform, more: list[str]) -> None:
    platform = new_platform()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = platform.run("up", "--port", str(taken.getsockname()[1]), *more)
    assert done.returncode == 1
    assert "port-in-use" in done.stderr
    assert "--port 0" in done.stderr
    assert processes_with(platform.data) == {}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--host", "0.0.0.0"], "insecure-address"),  # noqa: S104 - what is refused
        (["--runtime", "docker"], "not-supported-yet"),
        (["--runtime", "jail"], "invalid"),
        (["--tls-cert", "/nowhere.pem"], "invalid"),
        (["--tls-cert", "/etc/hostname", "--tls-key", "/etc/hostname"], "invalid"),
        (["--port", "70000"], "invalid"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(short_folder: Path, options: list[str], code: str) -> None:
    done = run_ffx("up", "--data", str(short_folder / "d"), "--port", "0", *options)
    assert done.returncode == 1
    assert f"code: {code}" in done.stderr
    assert "Traceback" not in done.stderr
    assert processes_with(short_folder) == {}


def test_a_part_that_does_not_start_ends_all_with_its_last_words(new_platform: MakePlatform) -> None:
    platform = new_platform()
    (platform.data / "nats").mkdir(parents=True)
    (platform.data / "nats/jetstream").write_text("no folder")
    done = platform.run("up", "--port", "0")
    assert done.returncode == 1
    assert "platform-start-failed" in done.stderr
    assert "nats.log" in done.stderr
    assert processes_with(platform.data) == {}


def test_a_second_interrupt_stops_at_once(new_platform: MakePlatform) -> None:
    """With the invoker stopped in its tracks an orderly stop would wait for it."""
    platform = new_platform().start()
    assert platform.process
    os.kill(platform.pids["invoker"], signal.SIGSTOP)
    platform.process.send_signal(signal.SIGINT)
    wait_for(lambda: "once more stops at once" in platform.output(), 5, "the first interrupt")
    platform.process.send_signal(signal.SIGINT)
    assert platform.process.wait(STOPPED_WITHIN_S) == 0


def test_a_part_that_hangs_does_not_hold_up_the_end(new_platform: MakePlatform) -> None:
    platform = new_platform().start()
    for name in ("envoy", "invoker", "control", "launcher", "nats"):
        os.kill(platform.pids[name], signal.SIGSTOP)
    assert platform.stop() == 0  # within 15 s


def test_ctrl_c_in_the_terminal_reaches_the_supervisor_only(platform: Platform) -> None:
    for pid in platform.pids.values():
        assert os.getpgid(pid) == pid
        assert os.getsid(pid) == pid


def test_its_log_files_hold_json_lines(platform: Platform) -> None:
    for name in ("supervisor", "control", "invoker"):
        for line in (platform.data / f"log/{name}.log").read_text().splitlines():
            assert line.startswith("{"), (name, line)


def test_a_folder_with_an_odd_and_long_name(short_folder: Path) -> None:
    """Spaces, quotes, and too long for a socket's address: sockets lie in a private folder elsewhere then."""
    platform = Platform(short_folder / "a 'b' \"c\" {d}" / ("x" * 90))
    platform.data.parent.mkdir()
    sockets = DataFolder.at(platform.data).sockets
    assert sockets.parent != platform.data
    try:
        platform.start()
        assert platform.ready()
        assert mode(sockets) == 0o700
        assert platform.stop() == 0
        assert not sockets.exists()
    finally:
        platform.end()
    assert processes_with(platform.data) == {}


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="no IPv6 here")
def test_the_other_loopback_address(new_platform: MakePlatform) -> None:
    platform = new_platform("--host", "::1").start()
    assert platform.url.startswith("http://[::1]:")
    assert platform.ready()
    assert platform.stop() == 0


def test_it_never_imports_from_the_folder_it_is_started_in(short_folder: Path) -> None:
    trap = short_folder / "json.py"
    trap.write_text("raise SystemExit('imported from the working folder')\n")
    done = subprocess.run(
        [FFX, "up", "--data", str(short_folder / "d"), "--port", "70000"],
        cwd=short_folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "imported from" not in done.stderr
    assert "0 to 65535" in done.stderr
