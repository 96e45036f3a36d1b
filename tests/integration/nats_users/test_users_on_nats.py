"""Plain nats-py clients of several users: calls, answers, events, and the end of a connection."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from nats.aio.client import Client
from nats.errors import Error, NoRespondersError

from faasioflex.bus import buckets
from faasioflex.bus.events import EVENTS_SUBJECT
from faasioflex.model.identity import Revocation, TokenRecord, TokenScope, UserRecord
from support.deadline import eventually
from support.nats_users import NatsWorld, call

GONE_S = 2.0


async def gone(client: Client) -> None:
    await eventually(lambda: not client.is_connected, "the connection is ended", GONE_S)


async def heard(client: Client, subject: str) -> list[str]:
    """Subjects that come from now on."""
    found: list[str] = []

    async def take(message: object) -> None:
        found.append(message.subject)  # type: ignore[attr-defined]

    await client.subscribe(subject, cb=take)
    await client.flush()
    return found


async def test_a_call_runs_as_who_connected(there: NatsWorld) -> None:
    alice = await there.user("alice")
    await there.function("alice", "hello")
    client = await there.user_client(alice)
    made = await call(client, "alice.hello", b'{"x": 1}')
    assert made["status"] == "succeeded"
    assert "principal" not in made
    seen = there.invoker.instances[0].seen[0]
    assert (seen.body, seen.headers["x-ffx-user"]) == (b'{"x": 1}', alice.uid)
    assert seen.headers["x-ffx-email"] == "alice@example.test"
    kept = await there.invoker.invocations.get(made["invocation_id"])
    assert kept is not None
    assert kept.value.principal is not None
    assert (kept.value.principal.uid, kept.value.principal.name) == (alice.uid, "alice@example.test")


async def test_what_others_hide_looks_like_nothing(there: NatsWorld) -> None:
    bob = await there.user("bob")
    await there.function("alice", "secret")
    client = await there.user_client(bob)
    hidden, missing = await call(client, "alice.secret"), await call(client, "alice.nobody")
    for made in (hidden, missing):
        made["error"]["message"] = made["error"]["message"].replace("secret", "X").replace("nobody", "X")
        for own in ("invocation_id", "function", "created_at", "finished_at"):
            del made[own]
    assert hidden == missing
    assert hidden["error"]["code"] == "function-not-found"
    assert there.invoker.instances[0].seen == []
    await there.grant("alice", "secret", f"user:{bob.uid}", "invoke")
    await gone(client)  # to come back with the events of what it may see now
    client = await there.user_client(bob)
    assert (await call(client, "alice.secret"))["status"] == "succeeded"


async def test_nobody_comes_in_without_a_token_that_holds(there: NatsWorld) -> None:
    alice = await there.user("alice")
    mint = there.identity.mint
    old = mint.access(alice, (), time.time() - 3600).token
    foreign = mint.access(alice, (), time.time(), audience="somebody").token
    for token in (None, "", "nonsense", "a.b.c", old, foreign, "x" * 9000):
        with pytest.raises(Error, match=r"(?i)authorization"):
            await there.connect(token, "x")
    for fields in ({"user": "platform", "password": "guess"}, {"user": "callout"}, {"user": "system", "password": ""}):
        with pytest.raises(Error, match=r"(?i)authorization"):
            await there.connect(None, "x", **fields)
    await there.connect(None, alice.uid, user="anything", password=there.identity.token(alice))


async def test_another_name_beside_the_token_changes_nothing(there: NatsWorld) -> None:
    alice, bob = await there.user("alice"), await there.user("bob")
    await there.function("bob", "hello")
    token = there.identity.token(alice)
    badge = f"{bob.uid} {bob.uid} jti {time.time():.3f} - x.y"
    for name in (bob.uid, badge, "PLATFORM"):
        client = await there.connect(None, alice.uid, user=name, password=token, name=badge)
        assert (await call(client, "bob.hello"))["error"]["code"] == "function-not-found"


async def test_events_of_what_one_may_see_and_no_others(there: NatsWorld) -> None:
    alice, bob = await there.user("alice"), await there.user("bob")
    for name, visibility in (("mine", "private"), ("open", "authenticated")):
        await there.function("alice", name, visibility)  # type: ignore[arg-type]
    hers, his = await there.user_client(alice), await there.user_client(bob)
    all_of_hers = await heard(hers, f"{EVENTS_SUBJECT}.function.*.alice.*")
    opened = await heard(his, f"{EVENTS_SUBJECT}.function.*.alice.open")
    for wanted in ("ffx.event.>", "ffx.event.function.*.alice.*", "ffx.event.function.*.alice.mine"):
        await his.subscribe(wanted)
        assert "permissions violation" in await there.refused(his)
    for name in ("mine", "open"):
        await there.bus.publish(f"{EVENTS_SUBJECT}.function.updated.alice.{name}", b"{}")
    await eventually(lambda: len(all_of_hers) == 2, "she hears of both")
    await eventually(lambda: len(opened) == 1, "he hears of the open one")
    assert opened == ["ffx.event.function.updated.alice.open"]
    admin = await there.connect(there.identity.admin, "u-local")
    everything = await heard(admin, "ffx.event.>")
    await there.bus.publish(f"{EVENTS_SUBJECT}.function.updated.alice.mine", b"{}")
    await eventually(lambda: len(everything) == 1, "the admin hears of all")


async def test_what_is_not_open_any_more_ends_the_events_of_it(there: NatsWorld) -> None:
    bob, carol = await there.user("bob"), await there.user("carol")
    await there.function("alice", "open", "public")
    client, hers = await there.user_client(bob), await there.user_client(carol)
    await there.function("alice", "other", "public")
    until = Revocation(time.time() + 1, time.time() + 3600)
    await there.bus.bucket(buckets.REVOKED.name, Revocation).put(f"sub.{carol.uid}", until)
    await gone(hers)  # every connection has been looked at since
    assert client.is_connected, "what comes to be open ends nothing"
    await there.function("alice", "open", "private")
    await gone(client)


@pytest.mark.parametrize("how", ["subject", "jti", "disabled", "token"])
async def test_a_revocation_ends_the_connection(there: NatsWorld, how: str) -> None:
    alice, bob = await there.user("alice"), await there.user("bob")
    other = await there.user_client(bob)
    token = there.identity.token(alice)
    if how == "token":
        token = await there.personal(alice, "t-1", TokenScope(), time.time() + 3600)
    client = await there.connect(token, "t-1" if how == "token" else alice.uid)
    revoked = there.bus.bucket(buckets.REVOKED.name, Revocation)
    if how == "subject":
        await revoked.put(f"sub.{alice.uid}", Revocation(time.time() + 1, time.time() + 3600))
    elif how == "jti":
        jti = there.identity.authenticate.token(token).jti
        await revoked.put(f"jti.{jti}", Revocation(None, time.time() + 3600))
    elif how == "disabled":
        users = there.bus.bucket(buckets.USERS.name, UserRecord)
        entry = await users.get(alice.uid)
        assert entry is not None
        await users.put(alice.uid, replace(entry.value, disabled=True))
    else:
        await there.bus.bucket(buckets.TOKENS.name, TokenRecord).delete("t-1")
    await gone(client)
    with pytest.raises(Error, match=r"(?i)authorization"):
        await there.connect(token, alice.uid)
    assert other.is_connected


async def test_a_token_with_a_scope_reaches_no_further(there: NatsWorld) -> None:
    alice = await there.user("alice")
    await there.function("alice", "one")
    await there.function("alice", "two")
    scope = TokenScope(functions=("alice/one",), verbs=("invoke",))
    client = await there.connect(await there.personal(alice, "t-1", scope, time.time() + 3600), "t-1")
    assert (await call(client, "alice.one"))["status"] == "succeeded"
    assert (await call(client, "alice.two"))["error"]["code"] == "function-not-found"
    await heard(client, "ffx.event.function.*.alice.one")
    await client.subscribe("ffx.event.function.*.alice.*")
    assert "permissions violation" in await there.refused(client)


async def test_a_connection_ends_with_its_token(there: NatsWorld) -> None:
    alice = await there.user("alice")
    ends = time.time() + 2
    client = await there.connect(await there.personal(alice, "t-1", TokenScope(), ends), "t-1")
    assert client.is_connected
    await eventually(lambda: not client.is_connected, "it ends", 6)
    assert time.time() >= ends - 1


async def test_the_callout_goes_and_another_comes(there: NatsWorld) -> None:
    """As when the control process is killed: who is connected stays, others wait for the next one; what happened meanwhile counts."""
    alice, bob = await there.user("alice"), await there.user("bob")
    await there.function("alice", "hello")
    hers, his = await there.user_client(alice), await there.user_client(bob)
    for bus in there.users._buses:
        await bus.close()
    assert (await call(hers, "alice.hello"))["status"] == "succeeded"
    with pytest.raises(Error, match="authorization"):
        await there.user_client(alice)
    revoked = there.bus.bucket(buckets.REVOKED.name, Revocation)
    await revoked.put(f"sub.{bob.uid}", Revocation(time.time() + 1, time.time() + 3600))
    await there.users.stop()
    there.users = there.new_users()
    await there.users.start()
    await gone(his)
    assert hers.is_connected
    assert (await call(await there.user_client(alice), "alice.hello"))["status"] == "succeeded"


async def test_the_server_goes_and_comes_back(there: NatsWorld) -> None:
    alice = await there.user("alice")
    await there.function("alice", "hello")
    client = await there.user_client(alice, allow_reconnect=True, max_reconnect_attempts=-1, reconnect_time_wait=1)
    there.server.kill()
    await eventually(lambda: there.users.problem is not None, "it is away")
    await there.server.start()
    await eventually(lambda: there.users.problem is None, "users can come in", 10)
    await eventually(lambda: client.is_connected, "the client is back", 10)

    async def answered() -> bool:
        try:
            return bool((await call(client, "alice.hello", timeout=0.5))["status"] == "succeeded")
        except (NoRespondersError, TimeoutError):
            return False  # the invoker is not back yet

    async with asyncio.timeout(10):
        while not await answered():
            await asyncio.sleep(0.05)
