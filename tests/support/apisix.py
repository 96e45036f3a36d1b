"""A stand-in for the Admin API of APISIX 3.18, which cannot be installed where the tests run. No call goes through it.

As far as it goes it does what the real one was seen to do: it checks objects against APISIX's own schema and loads their Lua in
LuaJIT, stores them in a real etcd under /apisix with the times of their writes, and answers with the same status codes: 401 for a
wrong key, 400 for what is not valid, for a name of what is not there and for removing what is in use, 404 for what is not there.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web
from lupa import luajit21

from faasioflex.gateway.apisix.driver import ApisixGateway
from faasioflex.gateway.apisix.settings import ApisixSettings
from support.apisix_objects import ONE, wrong_with
from support.etcd import Etcd

KEY = "the-admin-key-of-this-test"
NAMES = {"upstream_id": "upstreams", "service_id": "services", "plugin_config_id": "plugin_configs"}


class Apisix:
    """``requests``: those that were answered. ``failing``: so many are answered 503 first. ``metrics``: the exporter's page."""

    def __init__(self, store: Etcd) -> None:
        self.store = store
        self.requests: list[tuple[str, str]] = []
        self.failing = 0
        self.metrics: str | None = ""
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/apisix/prometheus/metrics", self._metrics)
        app.router.add_route("*", "/apisix/admin/{kind}", self._admin)
        app.router.add_route("*", "/apisix/admin/{kind}/{id}", self._admin)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def written(self) -> list[str]:
        """Paths of writes, in order; forgotten with that."""
        found = [f"{method} {path}" for method, path in self.requests if method != "GET"]
        self.requests.clear()
        return found

    async def object(self, kind: str, identifier: str) -> dict[str, Any] | None:
        return await self.store.get(f"/apisix/{kind}/{identifier}")

    async def ids(self, kind: str) -> set[str]:
        return {each["value"]["id"] for each in await self.store.below(f"/apisix/{kind}/")}

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(status=503) if self.metrics is None else web.Response(text=self.metrics)

    async def _admin(self, request: web.Request) -> web.Response:  # noqa: PLR0911 - one for each answer
        if self.failing > 0:
            self.failing -= 1
            return _said(503, "etcd is away")
        if request.headers.get("X-API-KEY") != KEY:
            return web.json_response({"error_msg": "failed to check token", "description": "wrong apikey"}, status=401)
        kind, identifier = request.match_info["kind"], request.match_info.get("id", "")
        self.requests.append((request.method, f"{kind}/{identifier}".rstrip("/")))
        if kind not in ONE:
            return _said(404, f"Unsupported resource type: {kind}")
        match request.method:
            case "GET":
                return await self._get(kind, identifier)
            case "PUT":
                return await self._put(kind, identifier, json.loads(await request.text()))
            case "DELETE":
                return await self._delete(kind, identifier)
            case _:
                return _said(404, "not found")

    async def _get(self, kind: str, identifier: str) -> web.Response:
        items = await self.store.below(f"/apisix/{kind}/")
        if not identifier:
            return web.json_response({"total": len(items), "list": items})
        found = [each for each in items if each["value"]["id"] == identifier]
        return web.json_response(found[0]) if found else _missing()

    async def _put(self, kind: str, identifier: str, made: dict[str, Any]) -> web.Response:
        wrong = (
            wrong_with(kind, identifier, made) or _wrong_lua(made) or await self._wrong_names(kind, identifier, made)
        )
        if wrong is not None:
            return _said(400, f"invalid configuration: {wrong}")
        key = f"/apisix/{kind}/{identifier}"
        before, now = await self.store.get(key), int(time.time())
        times = {"create_time": before["create_time"] if before else now, "update_time": now}
        value = {**made, "id": identifier, **times}
        await self.store.put(key, value)
        return web.json_response({"key": key, "value": value}, status=200 if before else 201)

    async def _delete(self, kind: str, identifier: str) -> web.Response:
        for other in ONE:
            for item in await self.store.below(f"/apisix/{other}/"):
                if (kind, identifier) in set(_named(item["value"])):
                    user = f"{ONE[other]} [{item['value']['id']}]"
                    return _said(400, f"can not delete this {ONE[kind]}, {user} is still using it now")
        if not await self.store.delete(f"/apisix/{kind}/{identifier}"):
            return _missing()
        return web.json_response({"key": f"/apisix/{kind}/{identifier}", "deleted": "1"})

    async def _wrong_names(self, kind: str, identifier: str, made: dict[str, Any]) -> str | None:
        for other, name in _named(made):
            if await self.object(other, name) is None:
                return f"failed to fetch {ONE[other]} info by {ONE[other]} id [{name}], response code: 404"
        if kind == "global_rules":
            for item in await self.store.below("/apisix/global_rules/"):
                twice = set(item["value"]["plugins"]) & set(made["plugins"])
                if item["value"]["id"] != identifier and twice:
                    return f"plugin '{min(twice)}' already exists in global rule with id '{item['value']['id']}'"
        return None


def _named(made: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What an object names: kind and id."""
    for field, kind in NAMES.items():
        if field in made:
            yield kind, made[field]
    for rule in made.get("plugins", {}).get("traffic-split", {}).get("rules", []):
        for each in rule["weighted_upstreams"]:
            if "upstream_id" in each:
                yield "upstreams", each["upstream_id"]


def _wrong_lua(made: dict[str, Any]) -> str | None:
    lua = luajit21.LuaRuntime()
    load = lua.eval("function(text) local f, e = loadstring(text) if not f then return e end return type(f()) end")
    for config in made.get("plugins", {}).values():
        for text in config.get("functions", []):
            if (kind := load(text)) != "function":
                return f"failed to loadstring: {kind}"
    return None


def _said(status: int, message: str) -> web.Response:
    return web.json_response({"error_msg": message}, status=status)


def _missing() -> web.Response:
    return web.json_response({"message": "Key not found"}, status=404)


class World:
    """The driver, the stand-in and where the key is."""

    def __init__(self, apisix: Apisix, folder: Path, **settings: Any) -> None:
        self.apisix = apisix
        self.key_file = folder / "key"
        self.key_file.write_text(KEY + "\n")
        made = ApisixSettings(
            admin_url=apisix.url,
            key_file=self.key_file,
            api="127.0.0.1:7001",
            invoker="127.0.0.1:7002",
            discovery="http://127.0.0.1:7001/oidc/.well-known/openid-configuration",
            metrics_url=f"{apisix.url}/apisix/prometheus/metrics",
            proof="secret-of-this-run",
            metrics_s=0.05,
            patience_s=0.5,
        )
        self.settings = replace(made, **settings)
        self.gateway = ApisixGateway(self.settings)


@asynccontextmanager
async def apisix_world(etcd: str, **settings: Any) -> AsyncIterator[World]:
    async with httpx.AsyncClient(trust_env=False) as client:
        store = Etcd(etcd, client)
        await store.clear()
        apisix = Apisix(store)
        await apisix.start()
        with tempfile.TemporaryDirectory(prefix="ffx-apisix-") as folder:
            world = World(apisix, Path(folder), **settings)
            try:
                await world.gateway.start()
                yield world
            finally:
                await world.gateway.close()
                await apisix.stop()
