"""Sockets that listen inside a sandbox's network namespace and belong to a process outside.

They are made before a line of the sandbox's own code runs, by going there and coming back. So nothing of ours runs inside that
a function could kill, look into or be charged for; and a connection is never refused because somebody of us is away: it waits
in the socket.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from faasioflex.runtime import linux
from faasioflex.runtime.children import Children
from faasioflex.runtime.egress import netlink
from faasioflex.runtime.egress.plan import ANY6, Listener

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_NS_GET_USERNS = 0xB701
_IP_FREEBIND = 15  # the loopback is not up yet
_BACKLOG = 256
_AT_ONCE = 200  # the kernel passes at most 253 descriptors in a message


async def open_inside(
    init: int, listeners: Sequence[Listener], addresses: Sequence[str], children: Children
) -> list[int]:
    """Descriptors of ``listeners``, in their order, in the network of the process ``init``, whose loopback gets ``addresses``.

    Raises: OSError.
    """
    if os.geteuid() == 0:
        return _by_going_there(init, listeners, addresses)
    return await _by_a_child(init, listeners, addresses, children)


def _by_going_there(init: int, listeners: Sequence[Listener], addresses: Sequence[str]) -> list[int]:
    """Root may come back, so nothing is forked; this process has one thread, and nothing else happens meanwhile."""
    with _opened("/proc/self/ns/net") as home, _opened(f"/proc/{init}/ns/net") as there:
        linux.join_namespace(there, _CLONE_NEWNET)
        made: list[socket.socket] = []
        try:
            for address in addresses:
                netlink.add_address(address)
            for one in listeners:
                made.append(_listen(one))
        except OSError:
            for each in made:
                each.close()
            raise
        finally:
            _come_home(home)
        return [each.detach() for each in made]


def _come_home(home: int) -> None:
    try:
        linux.join_namespace(home, _CLONE_NEWNET)
    except OSError:
        os._exit(1)  # no next sandbox may be started from here; the supervisor starts another launcher


async def _by_a_child(
    init: int, listeners: Sequence[Listener], addresses: Sequence[str], children: Children
) -> list[int]:
    """Who enters another user namespace cannot come back: that is for a child."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    found: list[int] = []
    with ours:
        with theirs:
            pid = os.fork()
            if pid == 0:
                _child(init, listeners, addresses, theirs)
        code = await children.ended(pid)
        ours.setblocking(False)
        why = "its helper was killed"
        while True:
            try:
                text, descriptors, _, _ = socket.recv_fds(ours, 4096, _AT_ONCE, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                break
            found += descriptors
            why = text.decode(errors="replace") or why
            if not text:
                break
    if code != 0 or len(found) != len(listeners):
        for descriptor in found:
            os.close(descriptor)
        raise OSError(f"the network of the sandbox cannot be set up: {why}")
    return found


def _child(init: int, listeners: Sequence[Listener], addresses: Sequence[str], back: socket.socket) -> None:
    """Never returns."""
    code = 1
    try:
        _enter(init)
        for address in addresses:
            netlink.add_address(address)
        made = [_listen(one) for one in listeners]
        for start in range(0, len(made), _AT_ONCE):
            socket.send_fds(back, [b"listening"], [one.fileno() for one in made[start : start + _AT_ONCE]])
        code = 0
    except BaseException as error:  # nothing may return into the parent's code here
        back.send(str(error).encode()[:4000] or b"?")
    finally:
        os._exit(code)


def _enter(init: int) -> None:
    """By the user namespace that owns it, in which we, who made it, may do anything."""
    with _opened(f"/proc/{init}/ns/net") as network:
        linux.join_namespace(fcntl.ioctl(network, _NS_GET_USERNS), _CLONE_NEWUSER)
        linux.join_namespace(network, _CLONE_NEWNET)


@contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _listen(one: Listener) -> socket.socket:
    family = socket.AF_INET6 if ":" in one.address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM if one.udp else socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_IP, _IP_FREEBIND, 1)
    if one.address == ANY6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if not one.udp:  # one for all addresses beside one for a single address, on the same port
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((one.address, one.port))
    if not one.udp:
        made.listen(_BACKLOG)
    return made
