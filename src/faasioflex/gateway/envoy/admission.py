"""Who may reach a function's instances directly: lists of callers, in which two filters look up function and pid together.

A live function's route writes both into one header. ``ffx.admit`` sends whoever is not listed to the invoker, which knows the
whole policy and answers as it answers for a name that does not exist. ``ffx.guard`` is Envoy's RBAC with the same list: nothing
but an admitted caller passes it, also if the first were not there; ``ffx.keyed`` sees to it that the route has written the header.
A function without an entry admits nobody.

The lists stand in files that Envoy watches, not in the routes: a grant would make all routes anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

# Types that stand inside an Any: their descriptors must be loaded before JSON is parsed.
from envoy.config.rbac.v3 import rbac_pb2 as _action
from envoy.extensions.common.matching.v3 import extension_matcher_pb2
from envoy.extensions.filters.common.matcher.action.v3 import skip_action_pb2 as _skip
from envoy.extensions.filters.http.lua.v3 import lua_pb2 as _lua
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2
from envoy.type.matcher.v3 import http_inputs_pb2 as _inputs
from google.protobuf.json_format import ParseDict
from xds.type.matcher.v3 import matcher_pb2

from faasioflex.gateway.envoy import discovered
from faasioflex.gateway.envoy.identity import OF_WRAPPED, PID_HEADER
from faasioflex.gateway.envoy.proto import TYPE, Json, overwrite, typed
from faasioflex.gateway.envoy.scripts import elsewhere_script, only_for, skip
from faasioflex.gateway.envoy.settings import EnvoySettings
from faasioflex.gateway.port import TableFunction
from faasioflex.identity.access import Access
from faasioflex.identity.principal import FUNCTION_PREFIX, USER_PREFIX

KEY_FILTER = "ffx.key"
ADMIT_FILTER = "ffx.admit"
KEYED_FILTER = "ffx.keyed"
GUARD_FILTER = "ffx.guard"
STRIP_FILTER = "ffx.strip"
ADMIT_FILE = "admit.pb"
GUARD_FILE = "guard.pb"
KEY_HEADER = "x-ffx-key"
INSIDE_ANY = (_action, _inputs, _lua, _skip)
_WRAPPED_PER_ROUTE = "envoy.extensions.common.matching.v3.ExtensionWithMatcherPerRoute"
_MUTATION = "envoy.extensions.filters.http.header_mutation.v3"
_RBAC = "envoy.extensions.filters.http.rbac.v3"
_INPUT = "envoy.type.matcher.v3.HttpRequestHeaderMatchInput"


def filters(settings: EnvoySettings) -> list[Json]:
    """In order. On routes that are no function's they do nothing."""
    strip = typed(f"{_MUTATION}.HeaderMutation", mutations={"request_mutations": [{"remove": "authorization"}]})
    return [
        {"name": KEY_FILTER, "typed_config": typed(f"{_MUTATION}.HeaderMutation")},
        discovered.named(ADMIT_FILTER, settings.folder / ADMIT_FILE, OF_WRAPPED),
        {"name": KEYED_FILTER, "typed_config": typed(f"{_RBAC}.RBAC")},
        discovered.named(GUARD_FILTER, settings.folder / GUARD_FILE, f"{TYPE}{_RBAC}.RBAC"),
        only_for(STRIP_FILTER, strip, []),
    ]


def on_route(function: TableFunction) -> Json:
    """The ``typed_per_filter_config`` of a live function's routes."""
    strip = {STRIP_FILTER: _per_route(_skipped_unless(_has(PID_HEADER)))}
    if function.access.public:
        return {ADMIT_FILTER: _per_route(_public()), **strip}
    key = overwrite(KEY_HEADER, f"{_prefix(function)}%REQ({PID_HEADER})%")
    written = {"header": {"name": KEY_HEADER, "string_match": {"prefix": _prefix(function)}}}
    policy = {"permissions": [{"any": True}], "principals": [written]}
    keyed = {"rules": {"action": "ALLOW", "policies": {"keyed": policy}}}
    return {
        KEY_FILTER: typed(f"{_MUTATION}.HeaderMutationPerRoute", mutations={"request_mutations": [{"append": key}]}),
        KEYED_FILTER: typed(f"{_RBAC}.RBACPerRoute", rbac=keyed),
        **strip,
    }


class Lists:
    """The files. What was made of a function is kept, so that a change costs what it changes."""

    def __init__(self, folder: Path, elsewhere: tuple[str, str]) -> None:
        self._folder = folder
        divert = elsewhere_script(elsewhere, remove=KEY_HEADER)
        admit = typed(
            "envoy.extensions.common.matching.v3.ExtensionWithMatcher",
            extension_config={"name": ADMIT_FILTER, "typed_config": divert},
        )
        self._made = (
            _List(
                ADMIT_FILTER,
                ADMIT_FILE,
                skip(),
                extension_matcher_pb2.ExtensionWithMatcher,
                config=admit,
                matcher="xds_matcher",
            ),
            _List(GUARD_FILTER, GUARD_FILE, _allow(), rbac_pb2.RBAC, config=typed(f"{_RBAC}.RBAC"), matcher="matcher"),
        )

    def write(self, functions: Iterable[TableFunction]) -> None:
        """Who may call, from now on."""
        listed = [(_prefix(each), each.access) for each in functions if each.revisions and not each.access.public]
        for one in self._made:
            one.write(self._folder, listed)

    def write_missing(self) -> None:
        """Before Envoy starts: files must be there."""
        for one in self._made:
            if not (self._folder / one.file).exists():
                one.write(self._folder, [])


class _List:
    """``admitted``: what the matcher says for whom it finds. ``config``: of the filter, without its ``matcher``."""

    def __init__(self, name: str, file: str, admitted: Json, kind: Any, *, config: Json, matcher: str) -> None:
        self.file = file
        self._name = name
        self._one: Any = ParseDict(admitted, matcher_pb2.Matcher.OnMatch())
        config = {key: value for key, value in config.items() if key != "@type"}
        self._config: Any = ParseDict({**config, matcher: _unlisted(admitted)}, kind())
        self._matcher = matcher
        self._known: dict[tuple[str, Access], tuple[bytes, bytes]] = {}
        self._written: tuple[tuple[str, Access], ...] | None = None

    def write(self, folder: Path, listed: list[tuple[str, Access]]) -> None:
        if self._written == tuple(listed):
            return
        self._known = {each: self._known.get(each) or self._maps(*each) for each in listed}
        made = type(self._config)()
        made.CopyFrom(self._config)
        by_key = getattr(made, self._matcher).on_no_match.matcher
        exact, prefixes = b"".join(e for e, _ in self._known.values()), b"".join(p for _, p in self._known.values())
        by_key.matcher_tree.exact_match_map.MergeFromString(exact)
        by_key.on_no_match.matcher.matcher_tree.prefix_match_map.MergeFromString(prefixes)
        discovered.write_message(folder / self.file, self._name, made)
        self._written = tuple(listed)

    def _maps(self, prefix: str, access: Access) -> tuple[bytes, bytes]:
        """Of one function: who is named, and who by the kind of their token."""
        exact = matcher_pb2.Matcher.MatcherTree.MatchMap()
        for pid in sorted(access.pids):
            exact.map[prefix + pid].CopyFrom(self._one)
        prefixes = matcher_pb2.Matcher.MatcherTree.MatchMap()
        for kind in (USER_PREFIX, FUNCTION_PREFIX) if access.signed_in else ():
            prefixes.map[prefix + kind].CopyFrom(self._one)
        return exact.SerializeToString(deterministic=True), prefixes.SerializeToString(deterministic=True)


def _unlisted(admitted: Json) -> Json:
    """The matcher with nobody in its lists: what has no key passes, what has one that is in none has no match, which a filter's
    matcher takes for "run" and RBAC for "deny"."""
    nobody = {"-": admitted}  # a key is longer
    prefixes = {"matcher_tree": {"input": _input(KEY_HEADER), "prefix_match_map": {"map": nobody}}}
    exact = {
        "matcher_tree": {"input": _input(KEY_HEADER), "exact_match_map": {"map": nobody}},
        "on_no_match": {"matcher": prefixes},
    }
    unkeyed = {"predicate": {"not_matcher": _has(KEY_HEADER)}, "on_match": admitted}
    return {"matcher_list": {"matchers": [unkeyed]}, "on_no_match": {"matcher": exact}}


def _prefix(function: TableFunction) -> str:
    return f"{function.function} "


def _public() -> Json:
    """Everybody, but a bearer token that is none of ours or does not hold goes by the invoker, which tells these apart."""
    bearer = _predicate("authorization", {"prefix": "bearer ", "ignore_case": True})
    return _skipped_unless({"and_matcher": {"predicate": [bearer, {"not_matcher": _has(PID_HEADER)}]}})


def _skipped_unless(predicate: Json) -> Json:
    return {"matcher_list": {"matchers": [{"predicate": {"not_matcher": predicate}, "on_match": skip()}]}}


def _allow() -> Json:
    return {"action": {"name": "admitted", "typed_config": typed("envoy.config.rbac.v3.Action", name="admitted")}}


def _has(header: str) -> Json:
    return _predicate(header, {"safe_regex": {"google_re2": {}, "regex": ".+"}})


def _predicate(header: str, match: Json) -> Json:
    return {"single_predicate": {"input": _input(header), "value_match": match}}


def _input(header: str) -> Json:
    return {"name": header, "typed_config": typed(_INPUT, header_name=header)}


def _per_route(matcher: Json) -> Json:
    return typed(_WRAPPED_PER_ROUTE, xds_matcher=matcher)
