"""Functions that list hosts, and try to get round the list: by form, by port, by redirect. tests/security/egress has the names."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from security.hostile.conftest import deploy_attacker, everywhere, hostile_languages
from support.hostile_platform import Attacker, WalledPlatform
from support.walled_network import ADDRESSES

PUBLIC, UNLISTED_PORT = ("93.184.216.34", 80), 8000
METADATA = "169.254.169.254"
FORMS = (
    METADATA, "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "169.16689662", "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "169.254.169.254.", "%31%36%39.254.169.254", "①⑥⑨.254.169.254",
    "[::169.254.169.254]", "[0:0:0:0:0:ffff:169.254.169.254]",
)  # fmt: skip
OTHERS = (
    *("localhost", "0.0.0.0", "[::1]", "[::]", "127.1", "0"),  # noqa: S104 - nothing is bound
    *(address for address, _ in ADDRESSES if address != METADATA),
)


@pytest.fixture(scope="module")
def travellers(platform: WalledPlatform) -> Iterator[list[Attacker]]:
    """One function per language, with ``*`` and one address in its list."""
    kinds = [name for name in hostile_languages() if name in ("python", "node", "go", "exec")]
    network = {"egress": ["*", f"{PUBLIC[0]}:{PUBLIC[1]}"]}
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda kind: deploy_attacker(platform, kind, name=f"goes-{kind}", network=network), kinds))
    yield made
    for one in made:
        platform.delete(one.name)


class Answering:
    """A web server on a socket of the wall. ``said``: its answer; ``asked``: how often it was."""

    def __init__(self, listener: socket.socket, said: bytes) -> None:
        self.asked = 0
        self._listener, self._said = listener, said
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Answering:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.asked += 1
                connection.settimeout(10)
                try:
                    connection.recv(65536)
                    connection.sendall(self._said)
                except OSError:
                    continue


FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine"
AWAY = (
    b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


@pytest.mark.timeout(400)
def test_private_addresses_in_every_form(platform: WalledPlatform, travellers: list[Attacker]) -> None:
    with ExitStack() as kept:
        wall = platform.wall
        inner = [kept.enter_context(Answering(wall.listen(address, 80), FINE)) for address, _ in ADDRESSES[:6]]
        outer = kept.enter_context(Answering(wall.listen(*PUBLIC), FINE))
        for one in travellers:
            assert one.attack("allowed", host=PUBLIC[0], port=PUBLIC[1]).saw["answer"].startswith("HTTP/1.1 200")
        assert outer.asked == len(travellers)
        targets = [(form, 80) for form in (*FORMS, *OTHERS)] + [(METADATA, 443), ("127.0.0.1", platform.port)]
        for found in everywhere(travellers, "by-proxy", targets=targets):
            found.nothing()
        direct = [(address, 80) for address, _ in ADDRESSES[1:6]]
        direct += [("127.0.0.1", platform.port), (PUBLIC[0], UNLISTED_PORT), ("93.184.216.35", 80)]
        for found in everywhere(travellers, "connect", targets=direct):
            found.nothing()
        assert [one.asked for one in inner] == [0] * len(inner)


def test_a_redirect_to_the_metadata_address(platform: WalledPlatform, travellers: list[Attacker]) -> None:
    with (
        Answering(platform.wall.listen(*PUBLIC), AWAY) as outer,
        Answering(platform.wall.listen(METADATA, 80), FINE) as inner,
    ):
        for found in everywhere(travellers, "redirected", url=f"http://{PUBLIC[0]}/"):
            found.nothing()
        assert outer.asked > 0
        assert inner.asked == 0


def test_denials_are_told(platform: WalledPlatform, travellers: list[Attacker]) -> None:
    one = travellers[0]
    one.attack("by-proxy", targets=[(METADATA, 80)]).nothing()
    lines = [line for line in platform.logs(one.name) if line["stream"] == "platform" and METADATA in line["message"]]
    assert lines
