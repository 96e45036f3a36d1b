"""Asynchronous calls: how fast they are stored over HTTP and over NATS, how fast they run, and whether a deep queue slows that down."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import nats as nats_py
from nats.aio.client import Client

from bench.bench import Amount, say
from bench.figures import Json, spread
from bench.platform_under_test import NAMESPACE, Platform, running
from bench.servers import cpu_s
from faasioflex.bus import nats
from faasioflex.bus.codec import decode, encode
from faasioflex.bus.nats import NatsBus
from faasioflex.identity.nats.rights import inbox
from faasioflex.model.identity import LOCAL_ADMIN
from faasioflex.model.messages import QUEUE_STATE_SUBJECT
from faasioflex.model.queue import QueueAnswer, QueueQuestion

NAME = "echo"
ECHO = "async def handle(event, context):\n    return event.json()\n"
BODY = b'{"name": "Ada", "of": "Lovelace"}'
AT_ONCE = 64
FAR_S, MARGIN_S = 6 * 86_400.0, 2.0
BARE = "FFX_BENCH"
LOOK_EVERY_S = 0.05
WITHIN_S = 600.0


def measure(data: Path, amount: Amount) -> Json:
    """``accept_per_s``: answered 202. ``deliver_per_s``: from the moment when all may run until all have an outcome.

    ``…_cpu_us``: of the invoker, for each call: what bounds it on a machine where nothing else runs.
    """
    with running(data) as platform:
        platform.deploy(NAME, "python", {"main.py": ECHO}, scaling={"min_instances": 1, "max_instances": 1})
        return asyncio.run(_measure(platform, amount))


async def _measure(platform: Platform, amount: Amount) -> Json:
    given = json.loads((platform.data / "run/nats.json").read_text())
    bus = await nats.connect(given["url"], given["user"], given["password"], name="bench")
    try:
        await bus.jetstream.api(
            f"STREAM.CREATE.{BARE}",
            {"name": BARE, "subjects": ["bench.>"], "storage": "file", "retention": "limits", "max_bytes": 256 << 20},
        )
        shallow = await _rounds(platform, bus, amount)
        published = await _published(platform, given["url"], amount)
        say(f"  filling the queue with {amount.depth}")
        await _accept(platform, amount.depth, time.time() + FAR_S)
        deep = await _rounds(platform, bus, amount)
        return {
            "calls": amount.queued,
            "depth": amount.depth,
            "accept_per_s": shallow["accept_per_s"],
            "deliver_per_s": shallow["deliver_per_s"],
            "deep_accept_per_s": deep["accept_per_s"],
            "deep_deliver_per_s": deep["deliver_per_s"],
            "accept_cpu_us": shallow["accept_cpu_us"],
            "deliver_cpu_us": shallow["deliver_cpu_us"],
            "deep_deliver_cpu_us": deep["deliver_cpu_us"],
            **published,
        }
    finally:
        await bus.close()


async def _rounds(platform: Platform, bus: NatsBus, amount: Amount) -> Json:
    accepts, deliveries, accept_us, deliver_us = [], [], [], []
    invoker = platform.pids()["invoker"]
    for _ in range(amount.rounds):
        likely_s = amount.queued / 500 + MARGIN_S
        due = time.time() + likely_s
        used_s = cpu_s(invoker)
        took_s = await _accept(platform, amount.queued, due)
        accept_us.append(1e6 * (cpu_s(invoker) - used_s) / amount.queued)
        accepts.append(amount.queued / took_s)
        late = time.time() > due
        await asyncio.sleep(max(0.0, due - time.time()))
        before, used_s = await _waiting(bus), cpu_s(invoker)
        began = time.perf_counter()
        while (left := await _waiting(bus)) > 0:
            if time.perf_counter() - began > WITHIN_S:
                raise RuntimeError(f"{left} calls do not run")
            await asyncio.sleep(LOOK_EVERY_S)
        deliveries.append(before / (time.perf_counter() - began))
        deliver_us.append(1e6 * (cpu_s(invoker) - used_s) / max(before, 1))
        say(
            f"  accepted {accepts[-1]:.0f}/s, delivered {deliveries[-1]:.0f}/s{' (while they were accepted)' if late else ''}"
        )
    return {
        "accept_per_s": spread(accepts, 0),
        "deliver_per_s": spread(deliveries, 0),
        "accept_cpu_us": spread(accept_us, 0),
        "deliver_cpu_us": spread(deliver_us, 0),
    }


async def _waiting(bus: NatsBus) -> int:
    """How many may run or run; those of far away do not count."""
    question = QueueQuestion("depth", function=f"{NAMESPACE}/{NAME}")
    answer = decode(QueueAnswer, await bus.request(QUEUE_STATE_SUBJECT, encode(question), 10.0))
    return sum(each.queued + each.running for each in answer.depths)


async def _accept(platform: Platform, calls: int, due: float) -> float:
    """Have so many stored over HTTP, over kept connections; seconds. Raises: RuntimeError where one is not accepted."""
    host, _, port = platform.url.removeprefix("http://").partition(":")
    request = (
        f"POST /f/{NAMESPACE}/{NAME} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {platform.token}\r\n"
        f"Prefer: respond-async\r\nFfx-Not-Before: {datetime.fromtimestamp(due, UTC).isoformat()}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n"
    ).encode() + BODY
    left = iter(range(calls))

    async def client() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        for _ in left:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 202"):
                raise RuntimeError(f"not accepted: {head.decode(errors='replace')[:300]}")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return time.perf_counter() - began


async def _published(platform: Platform, url: str, amount: Amount) -> Json:
    """By one client, ``AT_ONCE`` in flight, each acknowledged: into a stream of its own, and into the queue; in turns."""
    given = json.loads((platform.data / "run/nats.json").read_text())
    own = await nats_py.connect(url, user=given["user"], password=given["password"])
    user = await nats_py.connect(url, token=platform.token, inbox_prefix=inbox(LOCAL_ADMIN))
    later = {"Ffx-Not-Before": f"{FAR_S:.0f}"}
    bare, queued, cpu_us, invoker = [], [], [], platform.pids()["invoker"]
    for _ in range(amount.rounds):
        bare.append(await _publish(own, "bench.x", {}, amount.queued))
        used_s = cpu_s(invoker)
        queued.append(await _publish(user, f"ffx.queue.{NAMESPACE}.{NAME}", later, amount.queued))
        cpu_us.append(1e6 * (cpu_s(invoker) - used_s) / amount.queued)
    await own.close()
    await user.close()
    ratio = spread([mine / theirs for mine, theirs in zip(queued, bare, strict=True)], 3)
    say(f"  published {spread(queued, 0)['median']:.0f}/s, {ratio['median']:.2f} of a bare publish")
    return {
        "publish_per_s": spread(queued, 0),
        "publish_cpu_us": spread(cpu_us, 0),
        "bare_publish_per_s": spread(bare, 0),
        "publish_ratio": ratio,
    }


async def _publish(client: Client, subject: str, headers: dict[str, str], calls: int) -> float:
    """Calls per second."""
    left = iter(range(calls))

    async def one() -> None:
        for _ in left:
            reply = await client.request(subject, BODY, timeout=30, headers=headers or None)
            if b'"error"' in reply.data:
                raise RuntimeError(reply.data.decode())

    workers: list[Callable[[], Awaitable[None]]] = [one] * AT_ONCE
    began = time.perf_counter()
    await asyncio.gather(*(worker() for worker in workers))
    return calls / (time.perf_counter() - began)
