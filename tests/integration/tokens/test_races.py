"""Two at once over a real NATS: one outcome, whoever is faster; and what a process that dies between two steps leaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from faasioflex.bus.nats import NatsBus
from faasioflex.bus.port import Bus
from faasioflex.identity.people import People
from faasioflex.identity.port import Identity
from faasioflex.identity.tokens.exchange import ID_TOKEN
from faasioflex.identity.tokens.grants import TOKEN_EXCHANGE, OAuthError
from faasioflex.identity.tokens.long_lived import WantedToken
from faasioflex.identity.tokens.usage import UseRecorder, UseReporter
from faasioflex.model.errors import TokenRevoked
from faasioflex.model.identity import NamespaceRecord, Revocation, TokenUse, UserRecord
from support.deadline import awaited, eventually
from support.fake_login import FakeLogin
from support.identity import TestIdentity

Start = Callable[[], Awaitable[TestIdentity]]
CLI = "ffx-cli"


def exchange(subject: str) -> dict[str, str]:
    token = FakeLogin().id_token(subject, time.time())
    return {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": ID_TOKEN}


def identity_of(subject: str, email: str) -> Identity:
    return Identity("http://login.test", subject, email, True, subject, (), CLI, time.time() + 60, time.time())


async def test_one_of_two_refreshes_at_once_gets_the_next_token(start: Start) -> None:
    one, other = await start(), await start()
    for _ in range(10):
        answer = await one.tokens.token(CLI, None, exchange("ana"))
        form = {"grant_type": "refresh_token", "refresh_token": str(answer["refresh_token"])}
        outcomes = await asyncio.gather(
            *(each.tokens.token(CLI, None, form) for each in (one, other, one, other)), return_exceptions=True
        )
        won = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        lost = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert len(won) == 1
        assert all(isinstance(outcome, OAuthError) and outcome.error == "invalid_grant" for outcome in lost)


async def test_a_person_who_logs_in_twice_at_once_is_one(start: Start, bus: NatsBus) -> None:
    parts = [await start(), await start()]
    answers = await asyncio.gather(*(part.tokens.token(CLI, None, exchange("ana")) for part in parts * 4))
    users = [entry.value for entry in await bus.bucket("ffx_users", UserRecord).list() if entry.key != "u-local"]
    assert [user.namespace for user in users] == ["ana"]
    owned = [entry.key for entry in await bus.bucket("ffx_namespaces", NamespaceRecord).list()]
    assert owned == ["admin", "ana"]
    uids = {parts[0].authenticate.token(str(answer["access_token"])).uid for answer in answers}
    assert uids == {users[0].uid}


async def test_two_people_of_one_name_get_a_namespace_each(start: Start, bus: NatsBus) -> None:
    parts = [await start(), await start()]
    made = await asyncio.gather(
        *(
            part.people.provision(identity_of(f"subject-{number}", f"ana@{number}.test"))
            for number, part in enumerate(parts * 3)
        )
    )
    assert len({user.namespace for user in made}) == len(made)
    assert "ana" in {user.namespace for user in made}


async def test_one_person_is_the_first_admin(start: Start, bus: NatsBus) -> None:
    parts = [await start(), await start()]
    made = await asyncio.gather(
        *(
            part.people.provision(identity_of(name, f"{name}@a.test"), "admin")
            for part, name in zip(parts, ("ana", "ben"), strict=True)
        )
    )
    assert sorted(user.namespace == "admin" for user in made) == [False, True]
    entry = await bus.bucket("ffx_namespaces", NamespaceRecord).get("admin")
    assert entry is not None
    first = next(user for user in made if user.namespace == "admin")
    assert entry.value.owners == ("user:u-local", f"user:{first.uid}")


class Dying:
    """A bus whose bucket ``ffx_users`` cannot be written: as if the process had died before that step."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def bucket(self, name: str, value_type: type[Any]) -> Any:
        real = self._bus.bucket(name, value_type)
        if name != "ffx_users":
            return real

        class Bucket:
            get = staticmethod(real.get)

            async def create(self, key: str, value: object) -> int:
                raise KeyboardInterrupt

        return Bucket()


@pytest.mark.parametrize("role", ["developer", "admin"])
async def test_who_dies_between_namespace_and_person_leaves_nothing_that_hinders(
    start: Start, bus: NatsBus, role: Any
) -> None:
    part = await start()
    who = identity_of("ana", "ana@a.test")
    with pytest.raises(KeyboardInterrupt):
        await People(Dying(bus), time.time).provision(who, role)  # type: ignore[arg-type]
    user = await part.people.provision(who, role)
    assert user.namespace == ("admin" if role == "admin" else "ana")
    assert len(await bus.bucket("ffx_namespaces", NamespaceRecord).list()) == (1 if role == "admin" else 2)


def _void(part: TestIdentity, token: str) -> bool:
    try:
        part.authenticate.token(token)
    except TokenRevoked:
        return True
    return False


async def test_revoking_is_in_force_elsewhere_within_two_seconds(start: Start) -> None:
    here, elsewhere = await start(), await start()
    answer = await here.tokens.token(CLI, None, exchange("ana"))
    access = str(answer["access_token"])
    await elsewhere.directory.learn(here.authenticate.token(access).uid)
    ana = elsewhere.authenticate.token(access)
    record, personal = await here.long_lived.create(ana, WantedToken("personal", "x"))
    await elsewhere.directory.learn(record.token_id)
    elsewhere.authenticate.token(personal)
    began = time.monotonic()
    await here.tokens.revoke(CLI, None, access)
    await here.long_lived.revoke(ana, record.token_id)
    await eventually(lambda: _void(elsewhere, access) and _void(elsewhere, personal), "both are void", within_s=2)
    assert time.monotonic() - began < 2
    again = str((await here.tokens.token(CLI, None, exchange("ana")))["access_token"])
    elsewhere.authenticate.token(again)
    await here.tokens.end_all(ana.uid)
    await eventually(lambda: _void(elsewhere, again), "all of the person's are void", within_s=2)


async def test_cut_offs_at_once_leave_the_latest(start: Start, bus: NatsBus) -> None:
    parts = [await start(), await start()]
    cuts = await asyncio.gather(*(part.tokens.revocations.cut_off("u-1") for part in parts * 3))
    entry = await bus.bucket("ffx_revoked", Revocation).get("sub.u-1")
    assert entry is not None
    assert entry.value.before == max(cuts)


async def test_uses_are_written_once_a_minute_for_tokens_that_are_there(start: Start, bus: NatsBus) -> None:
    part = await start()
    ana = part.authenticate.token(part.token(await part.user("ana")))
    record, _ = await part.long_lived.create(ana, WantedToken("personal", "x"))
    now = [time.time()]
    reporter = UseReporter(bus, lambda: now[0])
    recorder = UseRecorder(bus, part.directory, lambda: now[0])
    uses = bus.bucket("ffx_token_use", TokenUse)
    await recorder.start()
    try:
        for used in (record.token_id, record.token_id, ana.uid, "t-" + "0" * 24):
            reporter.record_use(used)

        async def used_at(at: float) -> bool:
            return [(one.key, one.value.last_used_at) for one in await uses.list()] == [(record.token_id, at)]

        first = now[0]
        await awaited(lambda: used_at(first), "the use is written")
        now[0] += 30
        reporter.record_use(record.token_id)
        now[0] += 31
        reporter.record_use(record.token_id)
        await awaited(lambda: used_at(first + 61), "the next minute's use is written")
        (listed,) = await part.long_lived.list(ana)
        assert listed.last_used_at == first + 61
    finally:
        await recorder.stop()


async def test_pruning_leaves_what_still_counts(start: Start, bus: NatsBus, tmp_path: Any) -> None:
    part = await start()
    now = time.time()
    revocations = part.tokens.revocations
    await revocations.revoke_jti("over", now - 100)
    await revocations.revoke_jti("soon", now + 0.2 - 5)
    await revocations.revoke_jti("later", now + 100)
    await revocations.cut_off("u-1")

    async def pruned() -> bool:
        await revocations.prune()
        return [one.key for one in await bus.bucket("ffx_revoked", Revocation).list()] == ["jti.later", "sub.u-1"]

    await awaited(pruned, "what is over is gone")
