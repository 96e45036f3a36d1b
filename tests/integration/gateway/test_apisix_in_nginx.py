"""The scripts that the APISIX driver renders, on real calls through a real nginx (what APISIX is made of; it is not APISIX)."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from faasioflex.gateway.apisix.addresses import Parts
from faasioflex.gateway.apisix.render import Renderer
from faasioflex.gateway.apisix.settings import ApisixSettings
from faasioflex.gateway.port import RouteTable, TableFunction, TableRevision, TrustedIssuer
from faasioflex.identity.access import Access
from faasioflex.model.names import FunctionName
from support import nginx
from support.nats_server import free_port

pytestmark = pytest.mark.skipif(not nginx.is_there(), reason=nginx.WITHOUT)
PROOF = "secret-of-this-run"


@dataclass
class Origin:
    """Over TCP, with answers that say what only the platform may."""

    name: str
    address: tuple[str, int] = ("", 0)
    seen: list[tuple[str, str, list[tuple[str, str]], bytes]] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        headers = [(name.lower(), value) for name, value in request.headers.items()]
        self.seen.append((request.method, request.raw_path, headers, await request.read()))
        said = web.Response(text=self.name, headers={"Clear-Site-Data": "*", "X-Ffx-Overflow": "1"})
        said.headers.add("Set-Cookie", "ffx_session=evil")
        said.headers.add("Set-Cookie", "mine=1")
        said.headers.add("Server-Timing", "ffx-start;dur=1, db;dur=2")
        return said

    @property
    def told(self) -> dict[str, str]:
        return dict(self.seen[-1][2])


@dataclass
class World:
    client: httpx.AsyncClient
    instance: Origin
    invoker: Origin
    api: Origin


@pytest.fixture
async def world() -> AsyncIterator[World]:
    origins = [Origin(name) for name in ("instance", "invoker", "api")]
    runners = [web.ServerRunner(web.Server(each.answer), shutdown_timeout=0.1) for each in origins]
    for origin, runner in zip(origins, runners, strict=True):
        await runner.setup()
        listening = socket.create_server(("127.0.0.1", 0))
        origin.address = listening.getsockname()
        await web.SockSite(runner, listening).start()
    instance, invoker, api = origins
    functions = (
        _function("dead", f"127.0.0.1:{free_port()}", Access(public=True)),
        _function("private", _at(instance), Access(pids=frozenset({"u-alice"}))),
        _function("public", _at(instance), Access(public=True)),
    )
    settings = ApisixSettings("http://a", Path("k"), "a:1", "i:1", "http://d", "http://m", PROOF)
    issuer = TrustedIssuer("http://x", "faasioflex", '{"keys": [{"kid": "k1"}]}')
    table = RouteTable(1, functions, issuers=(issuer,))
    objects = Renderer(settings).render(table, Parts((api.address,), (invoker.address,))).objects
    try:
        with nginx.nginx(objects) as url:
            async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                yield World(client, instance, invoker, api)
    finally:
        for runner in runners:
            await runner.cleanup()


def _function(name: str, address: str, access: Access) -> TableFunction:
    return TableFunction(FunctionName("acme", name), access, (TableRevision(3, 100, (address,), 30.0, 1000, 10, 70.0),))


def _at(origin: Origin) -> str:
    return f"{origin.address[0]}:{origin.address[1]}"


async def test_a_direct_call_as_the_function_sees_it(world: World) -> None:
    forged = {
        "X_Ffx_User": "evil",
        "x-FFX-pid": "evil",
        "X-Ffx_Groups": "evil",
        "X-Userinfo": "evil",
        "Prefer_x": "evil",
    }
    cookies = [("Cookie", "a=1; ffx_session=2"), ("Cookie", "b=2")]
    got = await world.client.get(
        "/f/acme/public/a%2Fb%20c?x=%2e", headers=[*forged.items(), *cookies, ("X-Request-Id", "id-1")]
    )
    assert got.text == "instance"
    method, path, headers, _ = world.instance.seen[-1]
    assert (method, path) == ("GET", "/a%2Fb%20c?x=%2e")
    assert "evil" not in {value for _, value in headers}
    told = world.instance.told
    assert told["cookie"] == "a=1; b=2"
    assert (told["x-forwarded-prefix"], told["x-request-id"], told["x-ffx-revision"]) == ("/f/acme/public", "id-1", "3")
    assert "x-ffx-proof" not in told


async def test_its_answer_loses_what_only_the_platform_says(world: World) -> None:
    got = await world.client.get("/f/acme/public")
    assert got.headers.get_list("set-cookie") == ["mine=1"]
    assert got.headers["server-timing"] == "db;dur=2"
    assert got.headers["content-security-policy"] == "sandbox allow-scripts allow-forms"
    assert got.headers["ffx-revision"] == "3"
    assert not {"clear-site-data", "x-ffx-overflow"} & set(got.headers)
    console = await world.client.get("/console")
    assert (console.text, console.headers["clear-site-data"]) == ("api", "*")


async def test_the_invoker_takes_over_with_the_proof_where_no_instance_can_be_reached(world: World) -> None:
    got = await world.client.post("/f/acme/dead/x?y", content=b"hello", headers={"X-Ffx-Proof": "forged"})
    assert got.text == "invoker"
    method, path, _, body = world.invoker.seen[-1]
    assert (method, path, body) == ("POST", "/x?y", b"hello")
    told = world.invoker.told
    assert (told["x-ffx-namespace"], told["x-ffx-function"], told["x-ffx-revision"]) == ("acme", "dead", "3")
    assert told["x-ffx-proof"] == PROOF


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/f/acme/private/x?y", {}),
        ("/f/acme/private", {"Authorization": "Bearer a.b.c"}),
        ("/f/acme/public", {"Authorization": "Bearer a.b.c"}),
        ("/f/acme/public", {"Prefer": "respond-async"}),
        ("/f/acme/%70ublic/x", {}),
        ("/f//acme/public", {}),
        ("/f/acme/public%2Fx", {}),
        ("/f/acme/none", {}),
    ],
)
async def test_other_calls_come_to_the_invoker_as_they_came(world: World, path: str, headers: dict[str, str]) -> None:
    got = await world.client.get(path, headers={**headers, "X-Real-IP": "203.0.113.9"})
    assert got.text == "invoker"
    assert world.invoker.seen[-1][1] == path
    told = world.invoker.told
    assert told.get("authorization") == headers.get("Authorization")
    assert told["x-ffx-address"] == "127.0.0.1"  # X-Real-IP of a client on loopback is believed by nobody
    assert not {"x-ffx-proof", "x-ffx-function"} & told.keys()


async def test_refusals_are_problems(world: World) -> None:
    for method, path, status, code in [
        ("GET", "/f/acme/public/%2e%2e/private", 400, "bad-request"),
        ("GET", "/f/acme/public/%2e%2e%2fprivate", 400, "bad-request"),
        ("POST", "/f/acme/public", 413, "payload-too-large"),
    ]:
        got = await world.client.request(method, path, content=b"x" * 1001 if method == "POST" else None)
        assert (got.status_code, got.json()["code"]) == (status, code)
        assert got.headers["content-type"] == "application/problem+json"
        assert got.json()["request_id"] == got.headers["x-request-id"] == "made-here"
    assert world.instance.seen == []
