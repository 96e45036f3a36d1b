"""One request on its way through APISIX's phases, in LuaJIT: the scripts are the driver's own, what surrounds them is modelled
on APISIX 3.18 (which variables and functions a script finds, in which order the phases come). openid-connect is told apart by
its filter and believes :class:`Way`'s ``claims``."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from lupa import luajit21

from faasioflex.gateway.apisix.objects import Json, Objects

NOW = 1_800_000_000
_MODEL = """
local py = ...
local headers = py.headers
local by_name = function(name) return (name:lower()) end
package.preload["apisix.core"] = function()
  return {
    request = {
      header = function(_, name) local v = headers()[by_name(name)] return type(v) == "table" and v[1] or v end,
      set_header = function(_, name, value) py.set(by_name(name), value) end,
    },
    json = {decode = function(text) return py.json(text) end},
    id = {gen_uuid_v4 = function() return "made-here" end},
  }
end
ngx = {
  req = {get_headers = function() return headers() end},
  re = {find = function(text, regex) return py.find(text, regex) end},
  decode_base64 = function(text) return py.base64(text) end,
  time = function() return py.now() end,
  var = {},
}
return {
  run = function(text, ctx) return assert(loadstring(text))()({}, ctx) end,
  table = function() return {} end,
}
"""


@dataclass
class Way:
    """What became of a request. ``status``: answered by APISIX itself with this problem."""

    headers: dict[str, Any]
    status: int | None = None
    problem: dict[str, Any] = field(default_factory=dict)
    route: str = ""
    to: str = ""  # id of the upstream
    target: str = ""
    verified: bool = False  # openid-connect was asked
    variables: dict[str, Any] = field(default_factory=dict)
    ctx: Any = None


class Phases:
    """``objects``: what the driver rendered. ``claims``: token -> what a verified one says."""

    def __init__(self, objects: Objects, claims: dict[str, Json] | None = None) -> None:
        self.objects = objects
        self.claims = claims or {}
        self.headers: dict[str, Any] = {}
        self.now = NOW
        self.lua = luajit21.LuaRuntime(unpack_returned_tuples=True)
        asked = {
            "headers": lambda: _to_lua(self.lua, self.headers),
            "set": self._set,
            "json": self._json,
            "find": lambda text, regex: 1 if re.search(regex, text, re.DOTALL) else None,
            "base64": _decoded,
            "now": lambda: self.now,
        }
        self._model = self.lua.execute(_MODEL, self.lua.table_from(asked))

    def _set(self, name: str, value: Any) -> None:
        if value is None:
            self.headers.pop(name, None)
        else:
            self.headers[name] = str(value)

    def _json(self, text: Any) -> Any:
        try:
            return _to_lua(self.lua, json.loads(text))
        except (TypeError, ValueError):
            return None

    def request(self, method: str, raw: str, headers: dict[str, Any] | None = None, *, host: str = "here") -> Way:
        """``headers`` by lower-case name; several of one name as a list."""
        self.headers = dict(headers or {})
        path = re.sub("/+", "/", unquote(urlsplit(raw).path))
        route_id, route = self._match(method, path)
        ctx, var = self._model.table(), self._model.table()
        ctx["var"], ctx["route_id"] = var, route_id
        var.real_request_uri, var.request_method, var.host = raw, method, host
        var.remote_addr = var.realip_remote_addr = "192.0.2.7"
        var.http_content_length = self.headers.get("content-length")
        way = Way(self.headers, route=route_id, ctx=ctx)
        edge = self.objects.of("global_rules")["ffx-edge"]["plugins"]
        plugins = self._plugins(route)
        ended = self._ran(way, edge["serverless-pre-function"], "rewrite")
        if not ended and "openid-connect" in plugins and var.ffx_token == "ours":
            ended = self._verified(way)
        if not ended and "serverless-post-function" in plugins:
            ended = self._ran(way, plugins["serverless-post-function"], "rewrite")
        if not ended:
            ctx["upstream_id"] = self._split(plugins, var)
            way.to = ctx["upstream_id"] or route["upstream_id"]
            self.try_at(way, "10.0.0.1", 80)
        way.target = var.upstream_uri or ""
        way.variables = {str(name): value for name, value in var.items()}
        return way

    def try_at(self, way: Way, host: str, port: int) -> None:
        """The phase before_proxy, with this node picked."""
        plugins = self._plugins(self.objects.of("routes")[way.route])
        way.ctx["balancer_ip"], way.ctx["balancer_port"] = host, port
        if "serverless-pre-function" in plugins:
            assert not self._ran(way, plugins["serverless-pre-function"], "before_proxy")

    def answer(self, way: Way, status: int, headers: dict[str, Any], *, upstream: bool = True) -> dict[str, Any]:
        """The phase header_filter."""
        kept = {name.lower(): value for name, value in headers.items()}
        found = self.lua.table_from(
            {name: _to_lua(self.lua, value) if isinstance(value, list) else value for name, value in kept.items()}
        )
        glue = self.lua.eval(
            """function(found, status, address)
              ngx.status, ngx.var = status, {upstream_addr = address}
              ngx.resp = {get_headers = function() local copy = {} for k, v in pairs(found) do copy[k] = v end return copy end}
              ngx.header = setmetatable({}, {__newindex = function(_, name, value) found[name:lower()] = value end})
            end"""
        )
        glue(found, status, "10.0.0.1:80" if upstream else None)
        config = self.objects.of("global_rules")["ffx-edge"]["plugins"]["serverless-post-function"]
        assert config["phase"] == "header_filter"
        self._model.run(config["functions"][0], way.ctx)
        return {
            str(name): [each for _, each in value.items()] if luajit21.lua_type(value) == "table" else value
            for name, value in found.items()
        }

    def _match(self, method: str, path: str) -> tuple[str, Json]:
        """The longest of the paths; an exact one before one with a star."""
        found = []
        for identifier, route in self.objects.of("routes").items():
            for uri in route["uris"]:
                fits = path.startswith(uri[:-1]) if uri.endswith("*") else path == uri
                if fits and method in route.get("methods", [method]):
                    found.append((not uri.endswith("*"), len(uri), identifier))
        identifier = max(found)[2]
        return identifier, self.objects.of("routes")[identifier]

    def _plugins(self, route: Json) -> Json:
        service = self.objects.of("services").get(route.get("service_id", ""), {})
        config = self.objects.of("plugin_configs").get(route.get("plugin_config_id", ""), {})
        return {**service.get("plugins", {}), **config.get("plugins", {}), **route.get("plugins", {})}

    def _ran(self, way: Way, config: Json, phase: str) -> bool:
        """Whether it ended the request."""
        assert config["phase"] == phase
        said = self._model.run(config["functions"][0], way.ctx)
        if said is None:
            return False
        way.status, way.problem = said[0], {str(name): value for name, value in said[1].items()}
        return True

    def _verified(self, way: Way) -> bool:
        way.verified = True
        claims = self.claims.get(self.headers["authorization"].removeprefix("Bearer "))
        if claims is None:
            way.status = 401
            return True
        self.headers["x-userinfo"] = base64.b64encode(json.dumps(claims).encode()).decode()
        return False

    def _split(self, plugins: Json, var: Any) -> str | None:
        """traffic-split, which takes the heaviest here."""
        for rule in plugins.get("traffic-split", {}).get("rules", []):
            matches = [each["vars"] for each in rule.get("match", [])]
            if not matches or any(all(var[name] == value for name, _, value in each) for each in matches):
                return str(max(rule["weighted_upstreams"], key=lambda each: each["weight"])["upstream_id"])
        return None


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return None


def _to_lua(lua: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return lua.table_from({name: _to_lua(lua, each) for name, each in value.items() if each is not None})
    if isinstance(value, list):
        return lua.table_from([_to_lua(lua, each) for each in value])
    return value
