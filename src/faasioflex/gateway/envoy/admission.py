"""Who may reach a function's instances directly: its list of callers, as one exact map of pids that two filters look into.

``ffx.admit`` sends everybody else to the invoker, which knows the whole policy and answers as it answers for a name that does
not exist. ``ffx.guard`` is Envoy's RBAC with the same map: nothing but an admitted caller passes it, also if the first were
not there. A function without a rule here admits nobody.
"""

from __future__ import annotations

from faasioflex.gateway.envoy.identity import PID_HEADER
from faasioflex.gateway.envoy.proto import Json, typed
from faasioflex.gateway.envoy.scripts import elsewhere_script, only_for, skip
from faasioflex.identity.access import Access
from faasioflex.identity.principal import FUNCTION_PREFIX, USER_PREFIX

ADMIT_FILTER = "ffx.admit"
GUARD_FILTER = "ffx.guard"
STRIP_FILTER = "ffx.strip"
_WRAPPED_PER_ROUTE = "envoy.extensions.common.matching.v3.ExtensionWithMatcherPerRoute"
_RBAC = "envoy.extensions.filters.http.rbac.v3"
_INPUT = "envoy.type.matcher.v3.HttpRequestHeaderMatchInput"


def filters(elsewhere: tuple[str, str]) -> list[Json]:
    """In order. On routes that are no function's they do nothing."""
    strip = typed(
        "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": [{"remove": "authorization"}]},
    )
    return [
        only_for(ADMIT_FILTER, elsewhere_script(elsewhere), []),
        {"name": GUARD_FILTER, "typed_config": typed(f"{_RBAC}.RBAC")},
        only_for(STRIP_FILTER, strip, []),
    ]


def on_route(access: Access) -> Json:
    """The ``typed_per_filter_config`` of a live function's routes."""
    if access.public:
        return {ADMIT_FILTER: _per_route(_public()), STRIP_FILTER: _per_route(_skipped_unless(_has(PID_HEADER)))}
    return {
        ADMIT_FILTER: _per_route(_map(access, skip())),
        GUARD_FILTER: typed(f"{_RBAC}.RBACPerRoute", rbac={"matcher": _map(access, _allow())}),
        STRIP_FILTER: _per_route(_skipped_unless(_has(PID_HEADER))),
    }


def _public() -> Json:
    """Everybody, but a bearer token that is none of ours or does not hold goes by the invoker, which tells these apart."""
    bearer = _predicate("authorization", {"prefix": "bearer ", "ignore_case": True})
    return _skipped_unless({"and_matcher": {"predicate": [bearer, {"not_matcher": _has(PID_HEADER)}]}})


def _skipped_unless(predicate: Json) -> Json:
    return {"matcher_list": {"matchers": [_when({"not_matcher": predicate}, skip())]}}


def _map(access: Access, admitted: Json) -> Json:
    """Of the pids; what is not in it has no match, which a filter's matcher takes for "run" and RBAC for "deny"."""
    tree: Json = {
        "matcher_tree": {
            "input": _input(PID_HEADER),
            "exact_match_map": {"map": dict.fromkeys(sorted(access.pids) or ["-"], admitted)},
        }
    }
    if not access.signed_in:
        return tree
    prefixes = {"map": dict.fromkeys((USER_PREFIX, FUNCTION_PREFIX), admitted)}
    return {
        "matcher_tree": {"input": _input(PID_HEADER), "prefix_match_map": prefixes},
        "on_no_match": {"matcher": tree},
    }


def _allow() -> Json:
    return {"action": {"name": "admitted", "typed_config": typed("envoy.config.rbac.v3.Action", name="admitted")}}


def _when(predicate: Json, action: Json) -> Json:
    return {"predicate": predicate, "on_match": action}


def _has(header: str) -> Json:
    return _predicate(header, {"safe_regex": {"google_re2": {}, "regex": ".+"}})


def _predicate(header: str, match: Json) -> Json:
    return {"single_predicate": {"input": _input(header), "value_match": match}}


def _input(header: str) -> Json:
    return {"name": header, "typed_config": typed(_INPUT, header_name=header)}


def _per_route(matcher: Json) -> Json:
    return typed(_WRAPPED_PER_ROUTE, xds_matcher=matcher)
