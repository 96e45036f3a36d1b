"""``ffx top`` and ``ffx events`` over the real API."""

from __future__ import annotations

import json
import time

from faasioflex.bus.buckets import ALERTS
from faasioflex.bus.codec import encode
from faasioflex.cli.load import COLUMNS
from faasioflex.model.alert import Alert
from faasioflex.model.durations import bucket_of
from faasioflex.model.messages import (
    CALLS_SUBJECT,
    COUNTS_SUBJECT,
    LOAD_SUBJECT,
    USAGE_SUBJECT,
    CallsReport,
    CountsReport,
    FunctionCounts,
    LoadReport,
    RevisionCalls,
    RevisionLoad,
    RevisionUsage,
    UsageReport,
)
from support.ffx_command import Ffx
from support.platform_process import wait_for
from support.small_platform import SmallPlatform


def tell(platform: SmallPlatform) -> None:
    now = time.time()
    calls = RevisionCalls("admin", "hello", 1, 50, 5, {bucket_of(20): 50}, 1000.0, 2, {2: 45, 5: 5})
    load = RevisionLoad("admin", "hello", 1, in_progress=7, issued=0, waiting=3)
    usage = RevisionUsage("admin", "hello", 1, 2, 2**25, 0.5, 2**28, 1.5, {"ready": 1, "frozen": 1})
    counts = FunctionCounts("admin", "hello", queued=11, delayed=1, oldest_s=3.0)
    for subject, message in (
        (LOAD_SUBJECT, LoadReport("gateway", "gateway.local", now, (load,))),
        (CALLS_SUBJECT, CallsReport("gateway", "gateway.local", now, (calls,))),
        (COUNTS_SUBJECT, CountsReport("invoker.local", now, (counts,), queued=11, delayed=1)),
        (USAGE_SUBJECT, UsageReport("manager.local", now, 5.0, (usage,))),
    ):
        platform.run(platform.bus.publish(subject, encode(message)))


def test_top_shows_what_happens_and_which_alerts_fire(hello: Ffx, platform: SmallPlatform) -> None:
    alert = Alert("overload", "admin.hello", "u", "firing", 12.0, 5.0, "%", time.time(), "too many calls")
    bucket = platform.bus.bucket(ALERTS.name, Alert)
    platform.run(bucket.put(alert.key, alert))
    assert hello("scale", "hello", "0").code == 0

    def told() -> bool:
        tell(platform)
        found = json.loads(hello("top", "-o", "json").out)
        return bool(found) and found[0]["memory_bytes"] is not None and found[0]["in_progress"] == 7

    wait_for(told, 20, "top shows what was told")
    (one,) = json.loads(hello("top", "--sort", "queued", "-o", "json").out)
    assert (one["name"], one["queued"], one["waiting"], one["alerts"]) == ("admin/hello", 11, 3, ["overload"])
    done = hello("top", "--once")
    header, line = done.out.splitlines()
    at = {name: header.index(name.upper()) for name in COLUMNS}
    cells = {name: line[place:].split("  ")[0].strip() for name, place in at.items()}
    assert {name: cells[name] for name in ("in progress", "waiting", "queued", "errors", "memory", "memory limit")} == {
        "in progress": "7",
        "waiting": "3",
        "queued": "12",
        "errors": "10.0%",
        "memory": "32 MiB",
        "memory limit": "256 MiB",
    }
    assert cells["instances"].endswith("+1f")
    assert "overload admin/hello: too many calls" in done.err

    wait_for(lambda: "alert.overload admin/hello" in hello("events").out, 20, "the event is told")
    (event,) = [text for text in hello("events").out.splitlines() if "alert.overload" in text]
    assert 'state="firing"' in event
    assert "value=12.0" in event


def test_nothing_happens_to_an_idle_function(ffx: Ffx, platform: SmallPlatform) -> None:
    done = ffx("top")
    assert (done.code, done.out) == (0, "")
    assert "--all" in done.err
