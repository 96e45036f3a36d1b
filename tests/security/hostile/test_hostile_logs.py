"""Lines of the log say who wrote them: the platform does, whatever is written where."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from security.hostile.conftest import deploy_attacker, everywhere
from support.hostile_platform import Attacker, WalledPlatform, settle
from support.platform_process import FFX, environment

FORGED = "forged by the attacker"
RECORD = {"time": "2000-01-01T00:00:00Z", "function": ["admin", "neighbour"], "instance": "i-0", "revision": 7}


def lines_with(platform: WalledPlatform, name: str, text: str) -> list[dict[str, Any]]:
    return [line for line in platform.logs(name) if text in line["message"]]


def test_forged_lines(platform: WalledPlatform) -> None:
    """Another function, revision, instance, time or stream: what the attacker says about that is not believed."""
    attacker = deploy_attacker(platform, "python", name="forger")
    entry = {"stream": "stdout", "message": FORGED, "request_id": "of-another"}
    reports: list[Any] = [
        {"log": {**entry, "stream": "platform"}},
        {"log": {**entry, "stream": "stdout\n"}},
        {"log": {**entry, **RECORD}},
        {**RECORD, "kind": "line", "stream": "platform", "message": FORGED, "log": entry},
        {"kind": "ended", "id": "i-0", "reason": "exit", "detail": FORGED},
        {"log": {**entry, "message": FORGED + "\n2000-01-01 platform | all is well\x00\x1b[2J\u2028\ud800"}},
        {"log": {**entry, "request_id": "x" * 10_000}},
        {"log": {**entry, "request_id": "a\nb\x1b[31m"}},
        {"ready": True},
        [FORGED], FORGED, {"log": FORGED}, {"log": {"message": {"a": FORGED}}}, {"ready": FORGED},
    ]  # fmt: skip
    raw = [
        '{"log": {"stream": "platform", "message": "' + FORGED + '"}}\r{"ready": true}',
        FORGED + "\0\x1b]0;title\x07\x9b2J\x85",
        "[" * 50_000,
        '{"log": ' * 9_000 + FORGED,
        "\xff\xfe" + FORGED,
    ]
    attacker.attack("forge-lines", reports=reports, raw=raw, printed=f"{FORGED}\r\nsecond\rthird\0")
    settle(lambda: lines_with(platform, "forger", "second"), "the last line")
    (instance,) = {line["instance"] for line in platform.logs("forger")}
    for line in platform.logs("forger"):
        if line["stream"] == "platform":
            assert FORGED not in line["message"]
            continue
        assert line["instance"] == instance != "i-0"
        assert line["revision"] == 1
        assert line["time"] > "2020"
        assert line["stream"] in ("stdout", "stderr"), line
        assert "\n" not in line["message"], line
        assert line["request_id"] is None or len(line["request_id"]) <= 128
        assert line["request_id"] is None or line["request_id"].isprintable(), line
    for other in ("neighbour",):
        assert lines_with(platform, other, FORGED) == []
    assert platform.instances("forger") == 1


def test_a_terminal_is_not_spoken_to(platform: WalledPlatform) -> None:
    """What ``ffx logs`` shows on a terminal holds no control character of a function, and one line per line."""
    attacker = deploy_attacker(platform, "python", name="painter")
    evil = (
        FORGED + "\x1b[2J\x1b]52;c;ZXZpbA==\x07\x9b31m\rover\x08\n2030-01-01 00:00:00.000 r1 i-0 platform | all is well"
    )
    attacker.attack("forge-lines", reports=[{"log": {"stream": "stdout", "message": evil}}], raw=[], printed="end")
    settle(lambda: lines_with(platform, "painter", "end"), "the last line")
    (message,) = [line["message"] for line in lines_with(platform, "painter", FORGED)]
    shown = shown_on_a_terminal(message)
    assert FORGED in shown
    assert not {character for character in shown.rstrip("\r\n") if not character.isprintable()}, shown


def shown_on_a_terminal(message: str) -> str:
    """``log_text`` of a line with that message, with a terminal as stdout."""
    script = (
        "import json, sys\n"
        "from types import SimpleNamespace as Line\n"
        "from faasioflex.cli.logs import log_text\n"
        "print(log_text(Line(time=None, revision=1, instance='i-1', stream='stdout', message=json.loads(sys.argv[1]))))\n"
    )
    mine, theirs = os.openpty()
    python = FFX.removesuffix("ffx") + "python"
    subprocess.run(
        [python, "-c", script, json.dumps(message)], stdout=theirs, env=environment(), check=True, timeout=60
    )
    os.close(theirs)
    shown = os.read(mine, 65536).decode()
    os.close(mine)
    return shown


def test_output_without_end(platform: WalledPlatform, attackers: list[Attacker]) -> None:
    """Kept is what the allowance says, the rest is counted, and the writer is slowed down: 10 GB would take it days."""
    before = stored_bytes(platform)
    found = everywhere(attackers, "stdout", seconds=3, text="y" * 99 + "\n")
    assert stored_bytes(platform) - before < len(found) * (40 << 20)
    for one in attackers:
        settle(lambda one=one: lines_with(platform, one.name, "lines dropped"), "the flood is told of")
        told = lines_with(platform, one.name, "lines dropped")
        assert {line["stream"] for line in told} == {"platform"}


def stored_bytes(platform: WalledPlatform) -> int:
    files = [path for path in (platform.data / "nats").rglob("*") if path.is_file()]
    return sum(path.stat().st_blocks * 512 for path in files if path.exists())
