"""RouteTable -> APISIX's objects. Pure; what did not change is not made again."""

from __future__ import annotations

from dataclasses import dataclass, replace

from faasioflex.gateway.apisix import routes, scripts, token, upstreams
from faasioflex.gateway.apisix.addresses import Parts, is_unix
from faasioflex.gateway.apisix.limits import limit_count
from faasioflex.gateway.apisix.objects import (
    API,
    EDGE,
    FUNCTIONS,
    INVOKER,
    LABELS,
    TOKEN,
    Json,
    Objects,
    is_ours,
    route_id,
    upstream_id,
)
from faasioflex.gateway.apisix.settings import PREFIX, ApisixSettings
from faasioflex.gateway.port import RouteTable, TableFunction, TrustedIssuer
from faasioflex.gateway.rules import ORIGIN_WIDE_HEADERS, REFUSED_METHODS, REFUSED_PATH, SANDBOX
from faasioflex.identity.access import Revoked
from faasioflex.model.names import FunctionName

DIRECT = [["ffx_to", "==", "instance"]]


@dataclass(frozen=True)
class Rendered:
    """``left_out``: functions some of whose instances listen on unix sockets, which APISIX cannot reach: the invoker has them."""

    objects: Objects
    left_out: tuple[FunctionName, ...]
    names: dict[str, FunctionName]  # route -> whose it is


class Renderer:
    """Keeps what it made of the table before, by function."""

    def __init__(self, settings: ApisixSettings) -> None:
        self._settings = settings
        self._routes: dict[tuple[TableFunction, bool], Json] = {}

    def render(self, table: RouteTable, parts: Parts) -> Rendered:
        trusted = token.ours(table.issuers)
        left_out = tuple(each.function for each in table.functions if _on_unix_sockets(each))
        functions = [made for each in table.functions if (made := _reachable(each)) is not None]
        keys = {each: (_without_addresses(each), bool(trusted)) for each in functions}
        self._routes = {key: self._routes.get(key) or self._route(*key) for key in keys.values()}
        serving = {
            upstream_id(each.function, revision.number): upstreams.of_revision(revision, parts)
            for each in functions
            for revision in each.revisions
            if revision.percent > 0
        }
        objects = Objects(
            {
                "global_rules": {EDGE: self._edge(token.heads(trusted), table.revoked)},
                "upstreams": {
                    INVOKER: upstreams.of_part(parts.invoker),
                    API: upstreams.of_part(parts.api),
                    **serving,
                },
                "services": {FUNCTIONS: self._functions(parts)},
                "plugin_configs": {TOKEN: self._token(trusted)} if trusted else {},
                "routes": {
                    **routes.fixed(self._settings),
                    **{route_id(each.function): self._routes[keys[each]] for each in functions},
                },
            }
        )
        assert all(is_ours(identifier) for _, identifier, _ in objects)  # noqa: S101 - else they would not be found again
        return Rendered(objects, left_out, {route_id(each.function): each.function for each in functions})

    def _route(self, function: TableFunction, tokens: bool) -> Json:
        return routes.of_function(function, self._settings, tokens=tokens)

    def _edge(self, heads: frozenset[str], revoked: Revoked) -> Json:
        """One rule for all: APISIX lets no two global rules hold the same plugin."""
        host = self._settings.functions_host
        way_in = scripts.script(
            "way_in",
            PREFIX=PREFIX,
            HEADS=heads,
            REVOKED=revoked.jtis,
            SUBJECTS=frozenset(uid for uid, _ in revoked.subjects),
            FUNCTIONS_HOST=host.lower() if host else None,
            REFUSED_PATH=f"^(?:{REFUSED_PATH})$",
            REFUSED_METHOD=REFUSED_METHODS,
            SKEW_S=token.CLOCK_SKEW_S,
        )
        way_out = scripts.script(
            "way_out",
            PREFIX=PREFIX,
            PROOF=self._settings.proof,
            SHARED=host is None,
            SANDBOX=SANDBOX,
            ORIGIN_WIDE=ORIGIN_WIDE_HEADERS,
        )
        return {
            "plugins": {
                "serverless-pre-function": scripts.serverless("rewrite", way_in),
                "serverless-post-function": scripts.serverless("header_filter", way_out),
            }
        }

    def _functions(self, parts: Parts) -> Json:
        """What holds for every call that goes straight to an instance. Its scripts hold the proof, so no route does."""
        invokers = frozenset(  # APISIX puts brackets around IPv6
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in parts.invoker
        )
        each_try = scripts.script("each_try", INVOKERS=invokers, PROOF=self._settings.proof)
        return {
            "name": "faasioflex: functions",
            "labels": LABELS,
            "plugins": {
                "serverless-pre-function": scripts.serverless("before_proxy", each_try),
                "limit-count": limit_count(),
                "prometheus": {"prefer_name": False, "_meta": {"filter": DIRECT}},
            },
        }

    def _token(self, trusted: tuple[TrustedIssuer, ...]) -> Json:
        return {
            "name": "faasioflex: tokens",
            "labels": LABELS,
            "plugins": {"openid-connect": token.openid_connect(trusted, self._settings.discovery)},
        }


def _on_unix_sockets(function: TableFunction) -> bool:
    return any(is_unix(address) for revision in function.revisions for address in revision.addresses)


def _reachable(function: TableFunction) -> TableFunction | None:
    """The function as far as APISIX can serve it; None where the catch-all does."""
    if not _on_unix_sockets(function):
        return function
    return replace(function, revisions=()) if function.cors is not None else None


def _without_addresses(function: TableFunction) -> TableFunction:
    """What its route depends on: shares and bounds, not where the instances are."""
    serving = tuple(replace(each, addresses=()) for each in function.revisions if each.percent > 0)
    return replace(function, revisions=serving)
