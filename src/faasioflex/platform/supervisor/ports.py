"""Which TCP ports an installation has, kept in its folder so that they stay the same from start to start."""

from __future__ import annotations

import errno
import ipaddress
import random
import socket
from pathlib import Path

from faasioflex.model.errors import Conflict, Invalid, Unavailable
from faasioflex.platform.folder import DataFolder

# Below the range from which systems take ports for outgoing connections (Linux 32768, IANA 49152): a port of ours that is
# free for a moment, because its server was just killed, is not taken by somebody's connection.
RANGE = range(20_000, 32_000)
TRIES = 200


class PortInUse(Conflict):
    """Somebody else listens there."""

    code, title = "port-in-use", "The port is in use"


class InsecureAddress(Invalid):
    """Tokens would travel in the clear."""

    code, title = "insecure-address", "Plain HTTP off loopback"


def listen_address(host: str, *, secure: bool, insecure: bool) -> str:
    """The address for ``host``. Raises Invalid where it is none, InsecureAddress where tokens would travel in the clear."""
    name = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        raise Invalid(
            f"--host takes an address of this machine, like 127.0.0.1 or 0.0.0.0 for all of them, not {host!r}. "
            "The name by which people reach it is the setting public_url."
        ) from None
    if not (address.is_loopback or secure or insecure):
        raise InsecureAddress(
            f"On {host} others could read passwords and tokens on their way. Use --tls-cert FILE --tls-key FILE (a certificate "
            "that you have), or --tls self-signed (one of the platform's own), or, where something in front of it speaks TLS "
            "or nobody listens, --insecure-plain-http. On loopback, --host 127.0.0.1, plain HTTP is fine."
        )
    return name


def reached_at(host: str) -> str:
    """An address by which others reach what listens on ``host``: of "all addresses" the one that the default route leaves by."""
    address = ipaddress.ip_address(host)
    if not address.is_unspecified:
        return host
    family, far, own = (
        (socket.AF_INET, "192.0.2.1", "127.0.0.1") if address.version == 4 else (socket.AF_INET6, "2001:db8::1", "::1")
    )
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        try:
            trial.connect((far, 9))  # sends nothing: it only looks up the route
            return str(trial.getsockname()[0])
        except OSError:
            return own


class GatewayPort:
    """The gateway's port, reserved from ``reserve`` to ``close``: bound but not listening, so that it stays ours while Envoy restarts.

    Envoy binds it beside us (SO_REUSEPORT, same user); a socket that does not listen gets no connections.
    """

    def __init__(self, folder: DataFolder) -> None:
        self._kept = folder.root / "port"
        self._socket: socket.socket | None = None

    def reserve(self, host: str, port: int) -> int:
        """The port that was reserved: ``port``, or where that is 0 the one of the start before if it is free, else a free one.

        Raises PortInUse with what to do.
        """
        wanted = port or _kept_or_free(self._kept, host)
        try:
            self._socket = _bind(host, wanted)
        except OSError as error:
            raise PortInUse(_sentence(host, wanted, error)) from error
        if not port:
            _keep(self._kept, wanted)
        return wanted

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def nats_port(folder: DataFolder, host: str = "127.0.0.1") -> int:
    """A free port for nats-server: that of the start before if it is free."""
    kept = folder.run / "nats.port"
    port = _kept_or_free(kept, host)
    _keep(kept, port)
    return port


def _kept_or_free(kept: Path, host: str) -> int:
    before = kept.read_text().strip() if kept.is_file() else ""
    candidates = [int(before)] if before.isdecimal() else []
    candidates += random.sample(RANGE, TRIES)
    for port in candidates:
        try:
            _bind(host, port).close()
        except OSError:
            continue
        return port
    raise Unavailable(f"No free port found on {host} among {TRIES} between {RANGE.start} and {RANGE.stop}.")


def _bind(host: str, port: int) -> socket.socket:
    """A socket bound there that lets Envoy bind too. Raises OSError where the port is taken or not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as alone:
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind((host, port))  # without SO_REUSEPORT: fails beside a listener that allows sharing
    shared = socket.socket(family, socket.SOCK_STREAM)
    try:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind((host, port))
    except OSError:
        shared.close()
        raise
    return shared


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EACCES:
        return f"Port {port} needs root. Name one above 1023 with --port, or --port 0 for any free one."
    if error.errno != errno.EADDRINUSE:
        return f"Port {port} on {host} cannot be had: {error.strerror}. Name another address with --host."
    return (
        f"Port {port} on {host} is in use by another program. Name another one with --port, or --port 0 for any free one; "
        "'ss -ltnp' shows who has it."
    )


def _keep(path: Path, port: int) -> None:
    path.write_text(f"{port}\n")
