"""The most important attacks by a language's own means, where those are not Python's: Node, Go."""

from __future__ import annotations

from security.hostile.test_hostile_network import METADATA
from support.hostile_platform import Attacker, WalledPlatform


def test_by_their_own_means(platform: WalledPlatform, attackers: list[Attacker]) -> None:
    paths = ["/etc/shadow", "/root/.ssh", str(platform.data), str(platform.data / "run/platform.json")]
    paths += [str(path) for path in platform.data.rglob("*") if path.is_socket()]
    pids = [pid for pid in platform.pids.values() if pid > 1000]
    with platform.wall.listen(*METADATA) as server, platform.wall.abstract("ffx-native"):
        targets = [
            METADATA,
            ("::ffff:169.254.169.254", 80),
            ("127.0.0.1", platform.port),
            ("10.20.30.40", platform.port),
        ]
        tried = [one for one in attackers if one.language in ("node", "go")]
        for one in tried:
            found = one.attack("native", paths=paths, targets=targets, abstract=["ffx-native"], pids=pids)
            found.nothing()
            assert set(found.saw["interfaces"]) <= {"lo"}
        server.setblocking(False)
        try:
            server.accept()
        except BlockingIOError:
            return
        raise AssertionError("somebody came to the metadata address")
