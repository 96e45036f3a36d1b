"""What a user of NATS must not reach, and what they must not be taken for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from support.deadline import eventually
from support.nats_users import NatsWorld, call, nats_world

FORBIDDEN_TO_HEAR = (
    ">",
    "*",
    "_INBOX.>",
    "*.>",
    "*.*",
    "ffx.>",
    "ffx.call.>",
    "ffx.call.alice.hello",
    "ffx.log.>",
    "ffx.buildlog.>",
    "ffx.wake",
    "ffx.measure.>",
    "ffx.event.user.>",
    "$SYS.>",
    "$SYS.REQ.USER.AUTH",
    "$JS.>",
    "$KV.>",
    "_R_.>",
)
FORBIDDEN_TO_SAY = (
    "ffx.wake",
    "ffx.applied",
    "ffx.load",
    "ffx.log.alice.hello",
    "ffx.event.function.deleted.alice.hello",
    "_INBOX_u-bob.x",
    "_R_.abc",
    "$JS.API.INFO",
    "$JS.API.STREAM.INFO.KV_ffx_users",
    "$JS.API.STREAM.DELETE.KV_ffx_functions",
    "$KV.ffx_users.u-bob",
    "$O.ffx_code.M.x",
    "$SYS.REQ.SERVER.PING",
    "$SYS.REQ.SERVER.PING.CONNZ",
    "$SYS.REQ.USER.AUTH",
    "$SYS.REQ.USER.INFO",
    "$SYS.REQ.ACCOUNT.PING.CONNZ",
)


@pytest.fixture
async def there() -> AsyncIterator[NatsWorld]:
    async with nats_world() as made:
        yield made


async def test_everything_but_calls_answers_and_own_events_is_refused(there: NatsWorld) -> None:
    alice, bob = await there.user("alice"), await there.user("bob")
    client = await there.user_client(alice)
    for subject in (*FORBIDDEN_TO_HEAR, f"_INBOX_{bob.uid}.>"):
        await client.subscribe(subject)
        assert "permissions violation" in await there.refused(client), subject
    for subject in FORBIDDEN_TO_SAY:
        await client.publish(subject, b"{}")
        assert "permissions violation" in await there.refused(client), subject


async def test_a_forged_header_changes_nothing(there: NatsWorld) -> None:
    alice, bob = await there.user("alice"), await there.user("bob")
    await there.function("bob", "secret")
    await there.function("alice", "hello")
    client = await there.user_client(alice)
    badge = f"{bob.uid} {bob.uid} jti 1.000 - x.y"
    info = json.dumps({"acc": "USERS", "kind": "Client", "user": badge})
    forged = [
        {"Nats-Request-Info": info},
        {"nats-request-info": info},
        {"NATS-REQUEST-INFO": info},
        {"X-Ffx-User": bob.uid, "x-ffx-pid": bob.uid, "Authorization": f"Bearer {there.identity.token(bob)}"},
    ]
    for headers in forged:
        assert (await call(client, "bob.secret", headers=headers))["error"]["code"] == "function-not-found"
        assert (await call(client, "alice.hello", headers=headers))["status"] == "succeeded"
    assert {seen.headers["x-ffx-user"] for seen in there.invoker.instances[1].seen} == {alice.uid}
    assert there.invoker.instances[0].seen == []


async def test_a_header_sent_twice_changes_nothing(there: NatsWorld) -> None:
    alice, bob = await there.user("alice"), await there.user("bob")
    await there.function("bob", "secret")
    client = await there.user_client(alice)
    info = json.dumps({"acc": "USERS", "kind": "Client", "user": f"{bob.uid} {bob.uid} jti 1.000 - x.y"})
    head = f"NATS/1.0\r\nNats-Request-Info: {info}\r\nNats-Request-Info: {info}\r\nA: b\r\n\r\n".encode()
    answer = await client.subscribe(f"_INBOX_{alice.uid}.twice")
    line = f"HPUB ffx.call.bob.secret _INBOX_{alice.uid}.twice {len(head)} {len(head) + 1}\r\n".encode()
    client._transport.write(line + head + b"1\r\n")  # type: ignore[union-attr]
    made = json.loads((await answer.next_msg(5)).data)
    assert made["error"]["code"] == "function-not-found"


async def test_an_answer_that_is_sent_to_another_function_calls_nobody(there: NatsWorld) -> None:
    """The platform's answer must not become a call of the platform's own."""
    alice = await there.user("alice")
    await there.user("bob")
    await there.function("bob", "secret")
    await there.function("alice", "hello")
    client = await there.user_client(alice)
    secret, own = there.invoker.instances
    for reply in ("ffx.call.bob.secret", "ffx.wake", "$JS.API.INFO", "ffx.event.function.deleted.bob.secret"):
        await client.publish("ffx.call.alice.hello", b"1", reply=reply)
    await client.flush()
    await eventually(lambda: len(own.seen) == 4, "they ran")
    await call(client, "alice.hello")
    assert secret.seen == []
    assert there.invoker.wakes == []


async def test_one_user_does_not_read_anothers_answer(there: NatsWorld) -> None:
    alice, bob = await there.user("alice"), await there.user("bob")
    await there.function("alice", "hello")
    hers, his = await there.user_client(alice), await there.user_client(bob)
    stolen: list[bytes] = []

    async def take(message: object) -> None:
        stolen.append(message.data)  # type: ignore[attr-defined]

    for subject in (f"_INBOX_{alice.uid}.>", "*.>", ">"):
        await his.subscribe(subject, cb=take)
    await his.flush()
    for _ in range(3):
        assert (await call(hers, "alice.hello"))["status"] == "succeeded"
    await his.flush()
    await asyncio.sleep(0)
    assert stolen == []
    wrong = await there.connect(there.identity.token(alice), "x", inbox_prefix="_INBOX")
    with pytest.raises(TimeoutError):  # an inbox of the usual name is nobody's: the answer does not arrive
        await wrong.request("ffx.call.alice.hello", b"1", timeout=1)


async def test_the_directory_of_another_account_stays_shut(there: NatsWorld) -> None:
    """JetStream answers nobody in the users' account, whatever the inbox."""
    alice = await there.user("alice")
    client = await there.user_client(alice)
    with pytest.raises(Exception, match=r"(?i)no responders|timeout"):
        await client.request("$JS.API.STREAM.NAMES", b"", timeout=1)
