"""A network of its own for a platform under attack: no packet leaves the machine, and any address can have a listener.

``python walled_network.py SOCKET COMMAND…`` makes a network namespace whose loopback has the addresses of :data:`ADDRESSES`,
runs COMMAND in it, and meanwhile hands out sockets made there: :class:`Wall` asks for them over SOCKET. Root makes the
namespace as it is; a plain user in a user namespace in which it stays itself.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
from pathlib import Path

# address, netmask. A mask on loopback makes all of that network local, without being an address of the machine.
ADDRESSES = (
    ("127.0.0.1", "255.0.0.0"),
    ("169.254.169.254", "255.255.255.255"),
    ("10.20.30.40", "255.255.255.255"),
    ("172.16.5.4", "255.255.255.255"),
    ("192.168.7.6", "255.255.255.255"),
    ("100.64.3.2", "255.255.255.255"),
    ("93.184.216.1", "255.255.255.0"),  # the rest of it stands for the public internet
)
_NEW_USER, _NEW_NET, _NEW_NS = 0x10000000, 0x40000000, 0x00020000
_SET_ADDRESS, _SET_MASK, _SET_FLAGS, _UP = 0x8916, 0x891C, 0x8914, 0x1
_DEATH_SIGNAL = 1


class Wall:
    """Asks the process in the namespace for sockets. ``at`` is its SOCKET."""

    def __init__(self, at: Path) -> None:
        self._at = at

    def connect(self, host: str, port: int, timeout_s: float = 30.0) -> socket.socket:
        """A TCP connection within the namespace. Raises: OSError as connecting does."""
        return self._ask({"do": "connect", "host": host, "port": port}, timeout_s)

    def listen(self, host: str, port: int = 0) -> socket.socket:
        """A TCP server socket within the namespace."""
        return self._ask({"do": "listen", "host": host, "port": port}, None)

    def datagrams(self, host: str, port: int) -> socket.socket:
        """A bound UDP socket within the namespace."""
        return self._ask({"do": "datagrams", "host": host, "port": port}, None)

    def abstract(self, name: str) -> socket.socket:
        """A unix server socket with an abstract name of the namespace."""
        return self._ask({"do": "abstract", "name": name}, None)

    def _ask(self, what: dict[str, object], timeout_s: float | None) -> socket.socket:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(30)
            line.connect(str(self._at))
            line.sendall(json.dumps(what).encode() + b"\n")
            answer, descriptors, _, _ = socket.recv_fds(line, 4096, 1)
        if not descriptors:
            number, text = json.loads(answer)
            raise OSError(number, text)
        made = socket.socket(fileno=descriptors[0])
        made.settimeout(timeout_s)
        return made


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def enter() -> None:
    """Raises: OSError where this machine gives no namespaces."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        _checked(libc.unshare(_NEW_NET))
    else:
        _checked(libc.unshare(_NEW_USER | _NEW_NET))
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for index, (address, mask) in enumerate(ADDRESSES):
            name = b"lo" if index == 0 else b"lo:%d" % index
            for request, value in ((_SET_ADDRESS, address), (_SET_MASK, mask)):
                packed = struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(value))
                fcntl.ioctl(control, request, packed)
            fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH14x", name, _UP))


def _made(request: dict[str, object]) -> socket.socket:
    what, host, port = request["do"], str(request.get("host")), int(str(request.get("port", 0)))
    if what == "connect":
        return socket.create_connection((host, port), 5)
    if what == "listen":
        return socket.create_server((host, port), backlog=128)
    if what == "datagrams":
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((host, port))
        return made
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind("\0" + str(request["name"]))
    made.listen()
    return made


def _serve(server: socket.socket) -> None:
    while True:
        line, _ = server.accept()
        with line:
            try:
                made = _made(json.loads(line.makefile("rb").readline()))
            except OSError as error:
                line.sendall(json.dumps([error.errno or 5, str(error)]).encode())
                continue
            with made:
                rights = array.array("i", [made.fileno()])
                line.sendmsg([b"ok"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def main(at: str, command: list[str]) -> None:
    enter()
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)  # COMMAND ends when the tests are killed
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(at)
    server.listen(128)
    parent = os.getpid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == parent:
            _serve(server)
        os._exit(0)
    server.close()
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
