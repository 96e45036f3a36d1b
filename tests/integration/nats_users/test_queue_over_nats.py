"""Calls published to the queue by users' own NATS clients: as JetStream takes them, from whom the server says they are."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from nats.js.errors import APIError

from faasioflex.bus.buckets import CALLS
from support.deadline import eventually
from support.nats_users import NatsWorld
from support.queue_world import ended

ID = "Nats-Msg-Id"


async def published(there: NatsWorld, client: Any, name: str, data: bytes = b"{}", **headers: str) -> str:
    """The id of the call that it became."""
    reply = await client.request(f"ffx.queue.{name}", data, timeout=10, headers=headers or None)
    acknowledged = json.loads(reply.data)
    assert acknowledged["stream"] == CALLS.name, acknowledged
    return str(acknowledged["invocation_id"])


async def test_a_published_call_is_acknowledged_as_by_jetstream_and_runs_as_who_is_connected(there: NatsWorld) -> None:
    alice = await there.user("alice")
    await there.function("alice", "hello")
    client = await there.user_client(alice)
    acknowledged = await client.jetstream().publish("ffx.queue.alice.hello", b'{"x": 1}')
    assert (acknowledged.stream, acknowledged.seq, acknowledged.duplicate) == (CALLS.name, 1, None)
    instance = there.invoker.instances[0]
    await eventually(lambda: len(instance.seen) == 1, "it ran")
    assert (instance.seen[0].body, instance.seen[0].headers["x-ffx-user"]) == (b'{"x": 1}', alice.uid)
    made = await published(there, client, "alice.hello", b"2", **{"Ffx-Priority": "3", "Ffx-Order-Key": "k"})
    outcome = await ended(there.invoker, made)
    assert (outcome.status, outcome.principal and outcome.principal.uid) == ("succeeded", alice.uid)


async def test_an_id_is_each_publishers_own(there: NatsWorld) -> None:
    alice, bob = await there.user("alice"), await there.user("bob")
    await there.function("alice", "hello", "authenticated")
    of_alice, of_bob = await there.user_client(alice), await there.user_client(bob)
    first, again, other = [
        await published(there, client, "alice.hello", **{ID: "1"}) for client in (of_alice, of_alice, of_bob)
    ]
    assert first == again
    assert other != first
    for each in (first, other):
        assert (await ended(there.invoker, each)).status == "succeeded"
    assert len(there.invoker.instances[0].seen) == 2
    repeated = await of_alice.jetstream().publish("ffx.queue.alice.hello", b"{}", headers={ID: "1"})
    assert repeated.duplicate


async def test_what_is_not_allowed_is_refused_at_once(there: NatsWorld) -> None:
    alice, bob = await there.user("alice"), await there.user("bob")
    await there.function("alice", "hello")
    client = await there.user_client(bob)
    for name in ("alice.hello", "alice.nothing"):
        with pytest.raises(APIError, match="function-not-found"):
            await client.jetstream().publish(f"ffx.queue.{name}", b"{}")
    mine = await there.user_client(alice)
    for headers, named in (
        ({"Ffx-Priority": "high"}, "/headers/Ffx-Priority"),
        ({"Ffx-Priority": "-1"}, "/priority Must be 0 to 9"),
        ({"Ffx-Callback": "https://hooks.example/"}, "Ffx-Callback is not taken over NATS"),
        ({"Idempotency-Key": "1"}, "Nats-Msg-Id"),
    ):
        with pytest.raises(APIError, match=f"invalid.*{named}"):
            await mine.jetstream().publish("ffx.queue.alice.hello", b"{}", headers=headers)
    assert there.invoker.instances[0].seen == []


async def test_nobody_puts_a_message_among_our_own(there: NatsWorld) -> None:
    alice = await there.user("alice")
    await there.function("alice", "hello")
    client = await there.user_client(alice)
    await client.publish("ffx.queue.alice.hello.0000", b"{}", headers={"Nats-Request-Info": "{}"})
    assert "permissions violation" in await there.refused(client)
    state = (await there.bus.jetstream.api(f"STREAM.INFO.{CALLS.name}"))["state"]
    assert state["last_seq"] == 0


async def test_calls_wait_while_nats_is_killed_and_each_runs(there: NatsWorld) -> None:
    alice = await there.user("alice")
    await there.function("alice", "hello")
    instance = there.invoker.instances[0]
    instance.hold.clear()
    client = await there.user_client(alice)
    made = await asyncio.gather(
        *(published(there, client, "alice.hello", str(number).encode()) for number in range(30))
    )
    await eventually(lambda: instance.running == 10, "as many run as may")
    there.server.kill()
    instance.hold.set()
    await there.server.start()
    for each in made:
        assert (await ended(there.invoker, each)).status == "succeeded"
    assert sorted(int(seen.body) for seen in instance.seen) == list(range(30)), "none of them ran twice"

    async def left() -> int:
        return int((await there.bus.jetstream.api(f"STREAM.INFO.{CALLS.name}"))["state"]["messages"])

    async with asyncio.timeout(20):
        while await left():
            await asyncio.sleep(0.01)
