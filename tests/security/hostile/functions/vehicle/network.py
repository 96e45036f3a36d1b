"""Attacks on the network: addresses, sockets of every kind."""

import ctypes
import fcntl
import os
import socket
import struct

_SO_BINDTODEVICE = 25


def connect(tally, targets):
    """``targets``: [address, port] of real listeners. TCP and UDP, IPv4 and the IPv6 forms of it."""

    def stream(host, port):
        with socket.create_connection((host, port), 1.5):
            return "connected"

    def datagram(host, port):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as made:
            made.settimeout(0.3)
            made.connect((host, port))
            made.send(b"stolen")
            return made.recv(100)

    for host, port in targets:
        forms = [host] if ":" in host else [host, f"::ffff:{host}", f"64:ff9b::{host}", f"2002::{host}"]
        for form in forms:
            tally.tried(f"tcp {form} {port}", lambda form=form, port=port: stream(form, port))
            tally.tried(f"udp {form} {port}", lambda form=form, port=port: datagram(form, port))


def families(tally):
    """Every kind of socket there is, but for the ones that programs need."""
    needed = {(socket.AF_UNIX, kind) for kind in range(1, 6)} | {
        (family, kind) for family in (socket.AF_INET, socket.AF_INET6) for kind in (1, 2)
    }
    for family in range(1, 47):
        for kind in (1, 2, 3, 5, 10):
            for protocol in (0, 1, 2, 9, 12, 15, 16, 255):
                if (family, kind) in needed or (family == socket.AF_NETLINK and protocol == 0):
                    continue
                label = f"family {family} kind {kind} protocol {protocol}"

                def make(family=family, kind=kind, protocol=protocol):
                    with socket.socket(family, kind, protocol):
                        return "made"

                tally.tried(label, make)
    if len(tally.refused) > 40:
        tally.saw["refused"] = len(tally.refused)
        tally.refused = dict(list(tally.refused.items())[:10])


def interfaces(tally):
    """More network than there is: addresses, routes, devices, ports below 1024 of the host."""
    tally.saw["interfaces"] = [name for _, name in socket.if_nameindex()]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        request = struct.pack("16sHH4s8x", b"lo:9", socket.AF_INET, 0, socket.inet_aton("169.254.169.254"))
        tally.tried("address", lambda: fcntl.ioctl(made, 0x8916, request))
        tally.tried("up", lambda: fcntl.ioctl(made, 0x8914, struct.pack("16sH14x", b"lo", 0)))
        tally.tried("device", lambda: made.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, b"eth0\0"))
        tally.tried("mark", lambda: made.setsockopt(socket.SOL_SOCKET, 36, 1))
        tally.tried("big buffer", lambda: made.setsockopt(socket.SOL_SOCKET, 33, 1 << 28))
    libc = ctypes.CDLL(None, use_errno=True)

    def other_network():
        if libc.setns(libc.open(b"/proc/1/ns/net", 0), 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        return "entered"

    tally.tried("another network", other_network)


def by_proxy(tally, targets):
    """CONNECT, and a request with the whole address in it, by the proxy that functions with a wildcard are told of."""
    place = next(value for name, value in os.environ.items() if name.lower() == "https_proxy")
    proxy = place.rpartition("/")[2].rpartition(":")

    def ask(head):
        with socket.create_connection((proxy[0].strip("[]"), int(proxy[2])), 5) as made:
            made.settimeout(10)
            made.sendall(head.encode("latin-1"))
            said = made.recv(4096)
        if b" 200 " not in said.split(b"\r\n")[0] + b" ":
            raise OSError(said[:60])
        return said

    for host, port in targets:
        at = f"{host}:{port}"
        tally.tried(f"CONNECT {at}", lambda at=at: ask(f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n"))
        tally.tried(
            f"GET {at}", lambda at=at: ask(f"GET http://{at}/ HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n")
        )
        lie = f"GET http://{at}/ HTTP/1.1\r\nHost: 93.184.216.34\r\nConnection: close\r\n\r\n"
        tally.tried(f"another Host {at}", lambda lie=lie: ask(lie))


def redirected(tally, url):
    """A client that follows wherever it is sent, by the proxy."""
    import urllib.request

    tally.tried(url, lambda: urllib.request.urlopen(url, timeout=10).read(100))  # noqa: S310


def allowed(tally, host, port):
    """What is listed is reached: the control of the other attacks."""
    with socket.create_connection((host, port), 10) as made:
        made.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        tally.saw["answer"] = made.recv(100).decode("latin-1")
    tally.refused["nothing"] = "it was allowed"
