"""Servers beside the platform: the bare ones, the runtimes alone, the bare Envoy. No sandbox, no CPU quota."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.figures import Json
from faasioflex.platform import binaries
from faasioflex.runtime.language import Language, Places
from faasioflex.runtime.toolchain import ensure

READY_S = 30.0
_LISTENER_ON_3 = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.execv(sys.argv[2], sys.argv[2:])"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Server:
    """A started process. ``address``: ``http://127.0.0.1:port/`` or ``unix:/path``."""

    def __init__(self, process: subprocess.Popen[bytes], address: str) -> None:
        self.process = process
        self.address = address

    def cpu_s(self) -> float:
        return cpu_s(self.process.pid)


def cpu_s(pid: int) -> float:
    """User and system seconds of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def bare(argv: Sequence[str], address: str, folder: Path, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server that is told by its last argument where to listen: ``address``."""
    where = address.removeprefix("http://127.0.0.1:").rstrip("/")
    with _running([*argv, where], folder, address, {**os.environ, **(env or {})}) as server:
        yield server


@contextlib.contextmanager
def runtime(language: Language, code: Path, deps: Path | None, folder: Path) -> Iterator[Server]:
    """A runtime with a built function, on a TCP socket that it is handed as it is in a sandbox."""
    need = language.run_toolchain
    toolchain = str(ensure(need, lambda _line: None).root) if need else None
    places = Places(str(language.folder), str(code), str(deps) if deps else None, toolchain)
    config = {"runtime": language.name, "handler": None, "timeout_s": 30, "concurrency": 100, "payload_bytes": 1 << 20}
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        **language.environment_for(places),
        "LISTEN_FDS": "1",
        "FFX_CONFIG": json.dumps(config),
        "FFX_NAMESPACE": "bench",
        "FFX_FUNCTION": "echo",
        "FFX_REVISION": "1",
    }
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        handed = listener.fileno()
        argv = [sys.executable, "-IS", "-c", _LISTENER_ON_3, str(handed), *language.start_argv(places)]
        with _running(argv, folder, address, env, handed=(handed,), cwd=code) as server:
            yield server


@contextlib.contextmanager
def bare_envoy(upstream: str, folder: Path, filters: Sequence[Json] = (), token: str | None = None) -> Iterator[Server]:
    """One worker, one listener, one route, one cluster: nothing that it could do without. ``filters``: before the router."""
    port = free_port()
    config = folder / f"bare-envoy-{port}.json"
    config.write_text(json.dumps(_envoy_config(port, upstream, filters)))
    argv = [str(binaries.envoy()), "-c", str(config), "--concurrency", "1", "--log-level", "error"]
    argv += ["--use-dynamic-base-id", "--disable-hot-restart"]
    with _running(argv, folder, f"http://127.0.0.1:{port}/", dict(os.environ), token=token) as server:
        yield server


@contextlib.contextmanager
def gateway_envoy(argv: Sequence[str], address: str, folder: Path, token: str) -> Iterator[Server]:
    """The platform's own Envoy, by the command that its supervisor would give."""
    with _running(argv, folder, address, dict(os.environ), token=token) as server:
        yield server


@contextlib.contextmanager
def _running(
    argv: Sequence[str],
    folder: Path,
    address: str,
    env: Mapping[str, str],
    *,
    handed: tuple[int, ...] = (),
    cwd: Path | None = None,
    token: str | None = None,
) -> Iterator[Server]:
    log = folder / f"server-{time.monotonic_ns()}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, env=env, cwd=cwd, pass_fds=handed, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        _wait_until_it_answers(process, address, log, token)
        yield Server(process, address)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _wait_until_it_answers(process: subprocess.Popen[bytes], address: str, log: Path, token: str | None) -> None:
    from bench.caller import once

    deadline = time.monotonic() + READY_S
    while True:
        try:
            once(address, token)
            return
        except (OSError, RuntimeError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{Path(str(process.args[0])).name} does not serve ({error}):\n{said}") from error  # type: ignore[index]
            time.sleep(0.05)


def _envoy_config(port: int, upstream: str, filters: Sequence[Json]) -> dict[str, object]:
    at = "type.googleapis.com/envoy.extensions.filters"
    route = {"match": {"prefix": "/"}, "route": {"cluster": "app"}}
    http = {
        "@type": f"{at}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bare",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [*filters, {"name": "router", "typed_config": {"@type": f"{at}.http.router.v3.Router"}}],
    }
    endpoint = {"endpoint": {"address": {"pipe": {"path": upstream.removeprefix("unix:")}}}}
    return {
        "static_resources": {
            "listeners": [
                {
                    "name": "edge",
                    "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": http}]}],
                }
            ],
            "clusters": [
                {
                    "name": "app",
                    "type": "STATIC",
                    "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [endpoint]}]},
                }
            ],
        }
    }
