"""Lua, for what Envoy's own filters cannot do: look at a value before it is taken over, take a part of a value out.

A script costs a fifth of what Envoy does for a call, so each stands behind a matcher: it runs only for what brings a request id,
a cookie or timings of its own.
"""

from __future__ import annotations

from importlib import resources

from faasioflex.gateway.envoy.proto import Json, typed

ANSWER = "ffx.answer"  # the filter's name
PROOF_HEADER = "ffx-proof"  # in answers of the invoker that tell how long a start took; never leaves the gateway
_FUNCTIONS = "functions"  # the name of its script, which routes below /f/ ask for
_LUA = "envoy.extensions.filters.http.lua.v3"


def request_script(shared: str | None, client_id_header: str) -> Json:
    """For every request. ``shared``: the prefix of paths whose cookies are looked at; None where none are."""
    flag = "nil" if shared is None else f'"{shared}"'
    lua = typed(
        f"{_LUA}.Lua", default_source_code={"inline_string": f"SHARED = {flag}\n{_text('cookies')}{_text('request')}"}
    )
    return only_for("ffx.request", lua, [present("Request", name) for name in ("cookie", client_id_header)])


def answer_script(*, shares_origin: bool, proof: str) -> Json:
    """For answers on routes with :data:`ON_FUNCTIONS`. ``proof``: what the invoker shows, so that its timings stay."""
    constants = f'SHARED, PROOF = {str(shares_origin).lower()}, "{proof}"\n'
    script = constants + _text("cookies") + _text("answer")
    lua = typed(f"{_LUA}.Lua", source_codes={_FUNCTIONS: {"inline_string": script}})
    looked_at = ["server-timing", PROOF_HEADER, *(["set-cookie"] if shares_origin else [])]
    return only_for(ANSWER, lua, [present("Response", name) for name in looked_at])


def heavy_script(chunked_header: str, elsewhere: tuple[str, str]) -> Json:
    """Requests with a body of 100,000 bytes or more, or of unknown length (what ``chunked_header`` is set for), get the
    header and value ``elsewhere`` and another route."""
    lua = elsewhere_script(elsewhere, remove=chunked_header)
    heavy = [present("Request", chunked_header), present("Request", "content-length", "0*[1-9][0-9]{5,}")]
    return only_for("ffx.heavy", lua, heavy)


def respond_async_script(elsewhere: tuple[str, str]) -> Json:
    """A call that prefers to be answered when it is stored goes to the invoker, which has the queue, also while instances live."""
    prefers = present("Request", "prefer", r"(?i)(\C*,)?\s*respond-async\s*([,;=]\C*)?")
    return only_for("ffx.respond-async", elsewhere_script(elsewhere), [prefers])


def elsewhere_script(elsewhere: tuple[str, str], remove: str | None = None) -> Json:
    """Gives a request the header and value ``elsewhere``, takes ``remove`` away, and has its route looked for again."""
    name, value = elsewhere
    removed = f'  headers:remove("{remove}")\n' if remove else ""
    script = (
        "function envoy_on_request(handle)\n"
        "  local headers = handle:headers()\n"
        f"{removed}"
        f'  headers:replace("{name}", "{value}")\n'
        "  handle:clearRouteCache()\n"
        "end\n"
    )
    return typed(f"{_LUA}.Lua", default_source_code={"inline_string": script})


ON_FUNCTIONS: Json = {ANSWER: typed(f"{_LUA}.LuaPerRoute", name=_FUNCTIONS)}


def only_for(name: str, config: Json, predicates: list[Json]) -> Json:
    """The filter, left out of a request where none of the predicates holds."""
    if predicates:
        any_of = predicates[0] if len(predicates) == 1 else {"or_matcher": {"predicate": predicates}}
        matcher: Json = {"matcher_list": {"matchers": [{"predicate": {"not_matcher": any_of}, "on_match": skip()}]}}
    else:
        matcher = {"matcher_list": {"matchers": [{"predicate": present("Request", ":path"), "on_match": skip()}]}}
    return {
        "name": name,
        "typed_config": typed(
            "envoy.extensions.common.matching.v3.ExtensionWithMatcher",
            extension_config={"name": name, "typed_config": config},
            xds_matcher=matcher,
        ),
    }


def skip() -> Json:
    """What a matcher says for: the filter is left out."""
    named = typed("envoy.extensions.filters.common.matcher.action.v3.SkipFilter")
    return {"action": {"name": "skip", "typed_config": named}}


def exactly(match_input: Json, value: str) -> Json:
    """A predicate: the input has this value."""
    return {"single_predicate": {"input": match_input, "value_match": {"exact": value}}}


def present(side: str, header: str, regex: str = r"\C*") -> Json:
    """A predicate. ``side``: Request or Response. Bytes are matched, not characters: a value that is not UTF-8 is there too."""
    at = typed(f"envoy.type.matcher.v3.Http{side}HeaderMatchInput", header_name=header)
    return {
        "single_predicate": {
            "input": {"name": header, "typed_config": at},
            "value_match": {"safe_regex": {"google_re2": {}, "regex": regex}},
        }
    }


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(f"{name}.lua").read_text() + "\n"
