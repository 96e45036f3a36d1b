"""Ten thousand registered functions that nobody calls: what they cost, and what stays as fast as with one.

One is registered the usual way; the others are its copies, written into the registry while the platform is down, as an
earlier platform would have left them: ten thousand registrations would measure ten thousand first starts. Everything is
measured with one function too, on the same platform, after a restart in both cases.
"""

from __future__ import annotations

import http.client
import json
import random
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

from bench.bench import Amount, say
from bench.figures import Json, percentiles
from bench.languages import LANGUAGES
from bench.measures import copies
from bench.measures.live import deployed_ms, in_place_ms
from bench.platform_under_test import WITHIN_S, Platform, running, until

PAGES = 20
PAGE = 100
SETTLED_PERCENT = 10.0
LIVE = "live"  # one that runs, to be changed


def measure(data: Path, amount: Amount) -> Json:
    """On a folder of its own."""
    python = LANGUAGES[0]
    with running(data) as platform:
        scaling = {"min_instances": 0, "idle_s": 1}
        platform.deploy("f0", python.name, python.apps[0].files, scaling=scaling)
        platform.to_zero(["f0"])
        platform.deploy(LIVE, python.name, python.apps[0].files, scaling={"min_instances": 1, "max_instances": 1})
    with_one = _figures(data, amount, 1)
    began = time.perf_counter()
    copies.fill(data, amount.many)
    say(f"  {amount.many} functions in the registry after {time.perf_counter() - began:.0f} s")
    with_all = _figures(data, amount, amount.many)
    more = {
        name: bytes_ - with_one["anonymous_bytes"].get(name, 0) for name, bytes_ in with_all["anonymous_bytes"].items()
    }
    return {
        "functions": amount.many,
        "with_one": with_one,
        "with_all": with_all,
        "gateway_growth_mib": round(more["envoy"] / 2**20, 1),
        "kib_per_function": {name: round(bytes_ / 1024 / (amount.many - 1), 1) for name, bytes_ in more.items()},
        "kib_per_function_all": round(sum(more.values()) / 1024 / (amount.many - 1), 1),
    }


def _figures(data: Path, amount: Amount, count: int) -> Json:
    began = time.perf_counter()
    with running(data) as platform:
        restart_s = time.perf_counter() - began
        until(lambda: platform.client.get(f"f{count - 1}").status.state == "idle", "the last function known")
        _settle(platform, amount.settle_s)
        found: Json = {
            "restart_to_ready_s": round(restart_s, 2),
            "mib": {name: round(bytes_ / 2**20, 1) for name, bytes_ in platform.pss_bytes().items()},
            "anonymous_bytes": platform.pss_bytes("Pss_Anon"),
            "idle_cpu_percent": platform.cpu_percent(amount.idle_cpu_s),
        }
        found |= _lists(platform, count + 1)
        say(
            f"  {count}: {sum(found['mib'].values()):.0f} MiB, ready after {restart_s:.1f} s, {found['idle_cpu_percent']}"
        )
        chosen = random.Random(1).sample(range(count), min(count, amount.cold_functions))  # noqa: S311
        names = [f"f{number}" for number in chosen]
        found["first_call_ms"] = percentiles([1000 * platform.once(name)[0] for name in names], 1)
        found["in_place_ms"] = percentiles(in_place_ms(platform, LIVE, amount.changes), 1)
        found["deploy_ms"] = percentiles(deployed_ms(platform, LIVE, amount.deploys), 1)
        say(f"  change live {found['in_place_ms']}")
    return found


def _settle(platform: Platform, more_s: float) -> None:
    """Until the platform has looked at everything and told of it, and ``more_s`` longer: servers give memory back later."""
    deadline = time.monotonic() + WITHIN_S
    while platform.cpu_percent(2.0)["control"] > SETTLED_PERCENT and time.monotonic() < deadline:
        pass
    time.sleep(more_s)


def _lists(platform: Platform, count: int) -> Json:
    listing = _List(platform)
    try:
        all_ms, last = listing.all(count)
        return {
            "first_page_ms": percentiles(listing.times_ms(""), 1),
            "last_page_ms": percentiles(listing.times_ms(last), 1),
            "all_pages_ms": round(all_ms, 1),
        }
    finally:
        listing.close()


class _List:
    """The list as the API answers it, over a kept connection; making objects of it is the client's business."""

    def __init__(self, platform: Platform) -> None:
        where = urlsplit(platform.url)
        self._connection = http.client.HTTPConnection(where.hostname or "", where.port or 80, timeout=30)
        self._headers = {"Authorization": f"Bearer {platform.token}"}

    def times_ms(self, cursor: str) -> list[float]:
        """Of a page."""
        taken = []
        for _ in range(PAGES):
            began = time.perf_counter()
            self.page(cursor)
            taken.append(1000 * (time.perf_counter() - began))
        return taken

    def all(self, count: int) -> tuple[float, str]:
        """How long all pages take (ms), and the cursor of the last."""
        began, cursor, found = time.perf_counter(), "", 0
        while True:
            page = json.loads(self.page(cursor))
            found += len(page["items"])
            if page["next"] is None:
                break
            cursor = page["next"]
        if found != count:
            raise RuntimeError(f"the list has {found} functions instead of {count}")
        return 1000 * (time.perf_counter() - began), cursor

    def page(self, cursor: str) -> bytes:
        path = f"/functions?limit={PAGE}" + (f"&cursor={quote(cursor)}" if cursor else "")
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"a page of the list answered {answer.status}: {body[:200]!r}")
        return body

    def close(self) -> None:
        self._connection.close()
