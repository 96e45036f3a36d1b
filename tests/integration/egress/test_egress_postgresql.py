"""A database driver as it is, from a function to a real PostgreSQL on a private address that the operator allows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from faasioflex.bus.buckets import CODE_OBJECTS
from faasioflex.bus.memory import MemoryBus
from faasioflex.manager.archive.check import check_files
from faasioflex.manager.builder.service import LocalBuilder
from faasioflex.model.function import Network
from faasioflex.runtime.registries import machine_registries
from support.building import record
from support.deadline import eventually
from support.egress import launched_with_relay
from support.launcher import client
from support.postgresql import PASSWORD, Forward, PostgreSQL, programs

ADDRESS = "10.20.30.40"  # of support/walled_network
FUNCTION = {
    "requirements.txt": "psycopg[binary]\npg8000\n",
    "main.py": f"""
import pg8000.dbapi, psycopg

def handle(event, context):
    login = {{"user": "ffx", "password": {PASSWORD!r}}}
    try:
        with psycopg.connect(host="db.internal", dbname="postgres", connect_timeout=10, **login) as database:
            database.execute("CREATE TABLE IF NOT EXISTS seen (at timestamptz DEFAULT now())")
            database.execute("INSERT INTO seen SELECT FROM generate_series(1, 1000)")
            first = database.execute("SELECT count(*), version() FROM seen").fetchone()
        other = pg8000.dbapi.connect(host="db.internal", database="postgres", timeout=10, **login)
        cursor = other.cursor()
        cursor.execute("SELECT repeat('x', 1000000)")
        second = len(cursor.fetchone()[0])
        other.close()
        return [first[0], first[1].split()[0], second]
    except Exception as error:
        return repr(error)
""",  # noqa: S608 - a password of the test's own
}


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    made = PostgreSQL(found)
    yield made
    made.stop()


async def test_a_driver_works_unchanged(database: PostgreSQL) -> None:
    """Its packages come through the relay too, from the registries of this machine."""
    options = ("--allow", f"{ADDRESS}:5432")
    async with launched_with_relay() as fetching:  # on this machine's own network
        bus = MemoryBus()
        builder = LocalBuilder(bus, fetching.driver, fetching.data / "b", machine_registries(os.environ, Path.home()))
        stored = check_files(FUNCTION)
        await bus.objects(CODE_OBJECTS).put(stored.source.sha256, stored.packed)
        lines: list[str] = []
        code = await builder.build(record(stored.source), lines.append)
        async with launched_with_relay(*options, names=f"{ADDRESS} db.internal\n") as world:
            forward = Forward(world.relay.wall.listen(ADDRESS, 5432), database)
            one = await world.ready(code=code, network=Network(("db.internal",)))
            async with client(one) as http:
                for number in (1, 2):
                    assert (await http.post("/")).json() == [1000 * number, "PostgreSQL", 1_000_000]
            reached = forward.connections
            assert reached == 4
            denied = await world.ready(code=code, network=Network(("*:5432",)))
            async with client(denied) as http:
                assert "Error" in (await http.post("/")).text
            await eventually(lambda: any(event.id == denied.id for event in world.seen.denied), "the denial is told")
            assert forward.connections == reached
            forward.close()
