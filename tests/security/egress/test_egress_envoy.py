"""The second wall: Envoy itself holds a connection to what its class may reach, whatever the relay asks it for."""

from __future__ import annotations

import asyncio

import pytest

from faasioflex.gateway.egress.connect import Refused, connect
from faasioflex.gateway.egress.envoy import ALLOWED, CLASS, OPERATORS, PUBLIC
from faasioflex.gateway.egress.pipe import Stream
from support.egress import asks
from support.launcher import inside

from . import conftest as places
from .conftest import Walled

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_PUBLIC = (
    places.OWN_PUBLIC, places.META, places.LOOPBACK, places.DATABASE, places.PRIVATE, places.CARRIER, "0.0.0.0",  # noqa: S104
    "172.16.5.4", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[fe80::1]", "[fd00::1]", "[2002:7f00:1::]", "224.0.0.1",
)  # fmt: skip


async def _answer(walled: Walled, target: str, kind: str | None) -> int:
    """The status that Envoy answers to a CONNECT."""
    await inside(walled.open, asks("http://public.example.com/"))  # so that it runs
    socket = walled.world.relay.socket.with_name("egress-envoy.sock")
    stream = Stream(*await asyncio.open_unix_connection(socket))
    try:
        await connect(stream, target, {CLASS: kind} if kind is not None else {})
    except Refused as error:
        return error.status
    finally:
        stream.close()
    return 200


@pytest.mark.parametrize("address", NOT_PUBLIC)
async def test_public_is_public(walled: Walled, address: str) -> None:
    assert await _answer(walled, f"{address}:80", PUBLIC) == 403


async def test_each_class_reaches_its_own(walled: Walled) -> None:
    public, database = f"{places.PUBLIC}:80", f"{places.DATABASE}:5432"
    assert await _answer(walled, public, PUBLIC) == 200
    assert await _answer(walled, database, ALLOWED) == 200
    assert await _answer(walled, database, OPERATORS) == 200
    for target, kind in (
        (public, None),
        (public, "root"),
        (public, ALLOWED),
        (database, None),
        (database, PUBLIC),
        (f"{places.DATABASE}:5433", ALLOWED),
        (f"{places.DATABASE}:5431", ALLOWED),
        (f"{places.META}:80", ALLOWED),
        ("localhost:80", PUBLIC),
        ("loop.example.com:80", PUBLIC),
    ):
        assert await _answer(walled, target, kind) == 403, (target, kind)
