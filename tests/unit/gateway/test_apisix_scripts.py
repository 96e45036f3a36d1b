"""The APISIX driver's scripts, run in LuaJIT as APISIX runs them: who reaches an instance, with which headers, and what comes back."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from faasioflex.gateway.apisix.addresses import Parts
from faasioflex.gateway.apisix.render import Renderer
from faasioflex.gateway.apisix.scripts import lua
from faasioflex.gateway.apisix.settings import ApisixSettings
from faasioflex.gateway.apisix.token import heads
from faasioflex.gateway.port import RouteTable, TableFunction, TableRevision, TrustedIssuer
from faasioflex.identity.access import Access, Revoked
from faasioflex.identity.claims import AUDIENCE, TOKEN_TYPE
from faasioflex.identity.tokens.keys import SigningKeys
from faasioflex.model.function import RateLimit
from faasioflex.model.names import FunctionName
from support.apisix_call import NOW, Phases, Way

JWKS = json.dumps({"keys": [{"kid": "k1"}]})
ISSUER = TrustedIssuer("http://127.0.0.1:8080/oidc", AUDIENCE, JWKS)
PARTS = Parts((("10.1.0.1", 8001),), (("10.1.0.2", 8002),))
PROOF = "secret-of-this-run"
HEAD = min(heads([ISSUER]))


def settings(**fields: Any) -> ApisixSettings:
    return ApisixSettings(
        "http://a:9180", Path("key"), "api:1", "inv:1", "http://api:1/oidc", "http://a:9091", PROOF, **fields
    )


def revision(number: int, *addresses: str, percent: int = 100, payload: int | None = 1000) -> TableRevision:
    return TableRevision(number, percent, addresses or ("10.0.0.1:80",), 30.0, payload, 10, 70.0)


def function(name: str, access: Access, *revisions: TableRevision, **fields: Any) -> TableFunction:
    return TableFunction(FunctionName.parse(name), access, revisions or (revision(3),), **fields)


FUNCTIONS = (
    function("acme/authenticated", Access(signed_in=True)),
    function("acme/private", Access(pids=frozenset({"u-alice", "t-alice.1", "f-acme.other"}))),
    function("acme/public", Access(public=True)),
    function("acme/split", Access(public=True), revision(1, percent=90), revision(2, percent=10, payload=None)),
    function(
        "acme/bounded",
        Access(public=True),
        rate_limit=RateLimit(calls_per_minute=100, per_caller_per_minute=5),
        namespace_per_minute=1000,
    ),
)


def claims(pid: str = "u-alice", **fields: Any) -> dict[str, Any]:
    made = {
        "pid": pid,
        "sub": pid,
        "jti": "j1",
        "kind": "access",
        "iat": NOW - 10,
        "nbf": NOW - 10,
        "exp": NOW + 60,
        **fields,
    }
    return {name: value for name, value in made.items() if value is not None}


def token(told: dict[str, Any], head: str = HEAD) -> str:
    return f"{head}.{base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b'=').decode()}.c2ln"


def phases(told: dict[str, Any] | None = None, revoked: Revoked | None = None, **fields: Any) -> Phases:
    table = RouteTable(1, FUNCTIONS, revoked or Revoked(), (ISSUER,))
    return Phases(
        Renderer(settings(**fields)).render(table, PARTS).objects, {token(told): told} if told is not None else None
    )


def call(
    name: str, told: dict[str, Any] | None = None, *, path: str = "", more: dict[str, Any] | None = None, **fields: Any
) -> Way:
    bearer = {"authorization": f"Bearer {token(told)}"} if told is not None else {}
    return phases(told, **fields).request("GET", f"/f/acme/{name}{path}", {**bearer, **(more or {})})


ALICE, BOB = claims("u-alice"), claims("u-bob")


@pytest.mark.parametrize(
    ("name", "told", "direct"),
    [
        ("public", None, True),
        ("public", BOB, True),
        ("authenticated", None, False),
        ("authenticated", BOB, True),
        ("authenticated", claims("f-lab.x", kind="function"), True),
        ("authenticated", claims("s-1", kind="service"), False),
        ("private", None, False),
        ("private", ALICE, True),
        ("private", BOB, False),
        ("private", claims("f-acme.other", kind="function"), True),
        ("private", claims("u-alice2"), False),
        ("none", ALICE, False),
        ("private2", ALICE, False),
    ],
)
def test_who_may_call_goes_straight_and_all_others_to_the_invoker(
    name: str, told: dict[str, Any] | None, direct: bool
) -> None:
    way = call(name, told, path="/x?y=%2e")
    assert way.status is None
    assert (way.to != "ffx-invoker") == direct
    if direct:
        assert (way.to, way.target) == (f"ffx-f-acme.{name}.3", "/x?y=%2e")
        assert way.headers["x-forwarded-prefix"] == f"/f/acme/{name}"
        assert (way.headers["x-ffx-namespace"], way.headers["x-ffx-function"]) == ("acme", name)
        assert way.headers.get("x-ffx-pid") == (told["pid"] if told else None)
        assert "x-userinfo" not in way.headers
        assert "authorization" not in way.headers  # a verified token is not the function's business
    else:
        assert way.target == f"/f/acme/{name}/x?y=%2e"
        assert ("authorization" in way.headers) == (told is not None)  # the invoker looks at it itself
        assert not {"x-ffx-pid", "x-ffx-user", "x-ffx-proof", "x-ffx-function"} & way.headers.keys()


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("past its end, which openid-connect lets pass for 120 s", {"exp": NOW - 6}),
        ("not valid yet, which openid-connect does not look at", {"nbf": NOW + 6}),
        ("without an end", {"exp": None}),
        ("without an id", {"jti": None}),
        ("without a person", {"sub": ""}),
        ("of another kind", {"kind": "id"}),
        ("of a time that is none", {"iat": "yesterday"}),
    ],
)
def test_a_token_that_is_verified_and_not_as_we_make_them_names_nobody(what: str, fields: dict[str, Any]) -> None:
    way = call("private", claims(**fields))
    assert (way.status, way.to) == (None, "ffx-invoker"), what
    assert "x-ffx-pid" not in way.headers


@pytest.mark.parametrize(
    "authorization",
    [
        f"Bearer {token(ALICE, 'eyJhbGciOiJub25lIn0')}",
        f"bearer {token(ALICE)}",
        f"Bearer {token(ALICE)}=",
        f"Bearer {token(ALICE)}, Bearer {token(BOB)}",
        [f"Bearer {token(ALICE)}", f"Bearer {token(BOB)}"],
        "Bearer ffx-something",
        f"Bearer {HEAD}.bm90IGpzb24.c2ln",
    ],
)
def test_what_is_no_token_of_ours_to_the_letter_is_the_invokers(authorization: Any) -> None:
    for name in ("private", "public"):
        way = phases(ALICE).request("GET", f"/f/acme/{name}", {"authorization": authorization})
        assert (way.to, way.verified, way.status) == ("ffx-invoker", False, None)


def test_another_scheme_is_the_functions_own_business() -> None:
    way = call("public", more={"authorization": "Basic dTpw"})
    assert (way.to, way.headers["authorization"]) == ("ffx-f-acme.public.3", "Basic dTpw")


def test_a_signature_that_does_not_hold_is_refused_at_the_gateway() -> None:
    way = phases().request("GET", "/f/acme/private", {"authorization": f"Bearer {token(ALICE)}"})
    assert (way.status, way.verified) == (401, True)


@pytest.mark.parametrize("revoked", [Revoked(jtis=frozenset({"j1"})), Revoked(subjects=(("u-alice", 5.0),))])
def test_a_revoked_token_and_a_persons_all_are_the_invokers_to_judge(revoked: Revoked) -> None:
    way = call("private", ALICE, revoked=revoked)
    assert (way.to, way.verified) == ("ffx-invoker", False)
    assert call("authenticated", claims("u-bob", jti="j2"), revoked=revoked).to == "ffx-f-acme.authenticated.3"


def test_identity_headers_from_outside_are_taken_away_in_every_spelling() -> None:
    forged = [
        "x-ffx-user",
        "x_ffx_user",
        "x-ffx_pid",
        "x_ffx-groups",
        "x-ffx-proof",
        "x-ffx-revision",
        "x-envoy-internal",
        "x-consumer-username",
        "x_consumer_username",
        "x-credential-identifier",
        "x-userinfo",
        "x-access-token",
        "x-id-token",
        "x-forwarded-prefix",
    ]
    for path in ("/f/acme/public", "/f/acme/none", "/functions"):
        way = phases().request("GET", path, {**dict.fromkeys(forged, "u-alice"), "x-kept": "1"})
        assert "u-alice" not in way.headers.values()
        assert way.headers["x-kept"] == "1"


def test_a_route_of_others_keeps_its_own_headers() -> None:
    told = phases()
    told.objects.of("routes")["theirs"] = {"uris": ["/theirs"], "upstream_id": "theirs"}  # type: ignore[index]
    way = told.request(
        "GET", "/theirs", {"their_header": "1", "x-ffx-user": "u-alice", "x_ffx-pid": "u-alice", "x-request-id": "\x01"}
    )
    assert way.headers == {"their_header": "1", "x-request-id": "\x01"}


@pytest.mark.parametrize(
    "raw",
    ["/f/acme/%70ublic", "/f//acme/public", "/f/acme/public%2fx", "/f/acme/private%2f..%2fpublic", "/f/acme/public2"],
)
def test_another_spelling_of_the_path_never_reaches_an_instance(raw: str) -> None:
    way = phases().request("GET", raw)
    assert way.status == 400 or (way.to, way.target) == ("ffx-invoker", raw)


@pytest.mark.parametrize("raw", ["/f/acme/public/../private", "/f/acme/a\\b", "/f/acme/public/%2e%2e/x", "/x/%00"])
def test_paths_that_can_be_read_in_two_ways_are_refused(raw: str) -> None:
    way = phases().request("GET", raw, {"x-request-id": "id-1"})
    assert (way.status, way.problem["code"], way.problem["request_id"]) == (400, "bad-request", "id-1")


def test_trace_is_refused() -> None:
    assert phases().request("TRACE", "/f/acme/public").problem["code"] == "method-not-allowed"


def test_targets_of_the_bare_name_and_of_a_query() -> None:
    assert [call("public", path=path).target for path in ("", "/", "?a=/b", "/x%2Fy")] == ["/", "/", "/?a=/b", "/x%2Fy"]


def test_platform_cookies_do_not_reach_functions() -> None:
    way = call("public", more={"cookie": "a=1; ffx_session=2; __Host-ffx=3; b=4"})
    assert way.headers["cookie"] == "a=1; b=4"
    assert "cookie" not in call("none", more={"cookie": "ffx_session=2"}).headers
    kept = phases().request("GET", "/console", {"cookie": "ffx_session=2"})
    assert kept.headers["cookie"] == "ffx_session=2"


def test_the_request_id_is_taken_if_it_is_a_sane_one() -> None:
    assert call("public", more={"x-request-id": "a.b-1"}).headers["x-request-id"] == "a.b-1"
    assert call("public", more={"x-request-id": "a b"}).headers["x-request-id"] == "made-here"


def test_queued_calls_and_too_large_ones() -> None:
    assert call("public", more={"prefer": "wait=1, Respond-Async"}).to == "ffx-invoker"
    assert call("public", more={"prefer": "respond-asynchronously"}).to == "ffx-f-acme.public.3"
    assert call("public", more={"content-length": "1001"}).problem["code"] == "payload-too-large"
    assert call("split", more={"content-length": "1001"}).status is None
    assert call("private", more={"content-length": "1001"}).to == "ffx-invoker"  # nobody learns its bounds


def test_one_call_a_minute_of_a_long_lived_token_is_the_invokers_to_note() -> None:
    told = claims("t-alice.1", kind="personal")
    made, asked = phases(told), {"authorization": f"Bearer {token(told)}"}
    assert [made.request("GET", "/f/acme/private", asked).to for _ in range(3)] == [
        "ffx-invoker",
        "ffx-f-acme.private.3",
        "ffx-f-acme.private.3",
    ]
    made.now += 60
    told["exp"] += 60
    made.claims = {token(told): told}
    again = made.request("GET", "/f/acme/private", {"authorization": f"Bearer {token(told)}"})
    assert again.to == "ffx-invoker"


def test_only_the_invoker_is_shown_the_proof_and_by_the_try() -> None:
    made = phases()
    way = made.request("GET", "/f/acme/public")
    assert "x-ffx-proof" not in way.headers
    made.try_at(way, "10.1.0.2", 8002)
    assert (way.headers["x-ffx-proof"], way.ctx["consumer_name"]) == (PROOF, "3-invoker")
    made.try_at(way, "10.1.0.2", 80)
    assert way.ctx["consumer_name"] == "3"
    assert "x-ffx-proof" not in way.headers
    sixth = Renderer(settings()).render(RouteTable(1, FUNCTIONS), Parts(PARTS.api, (("fd00::2", 8002),))).objects
    by_ipv6 = Phases(sixth)
    way = by_ipv6.request("GET", "/f/acme/public")
    by_ipv6.try_at(way, "[fd00::2]", 8002)
    assert way.headers["x-ffx-proof"] == PROOF
    for _, identifier, made_object in made.objects:
        assert (PROOF in json.dumps(made_object)) == (identifier in {"ffx-edge", "ffx-functions"})


def test_each_revision_of_a_split_is_named() -> None:
    made = phases()
    way = made.request("GET", "/f/acme/split")
    assert way.to == "ffx-f-acme.split.1"
    assert (way.headers["x-ffx-revision"], way.ctx["consumer_name"]) == ("1", "1")
    assert made.answer(way, 200, {})["ffx-revision"] == "1"


def test_what_counts_against_which_bound() -> None:
    known = call("bounded", ALICE).variables
    assert (known["ffx_caller"], known["ffx_per_caller"]) == ("acme/bounded u-alice", 5)
    assert (known["ffx_function"], known["ffx_per_function"]) == ("acme/bounded", 100)
    assert (known["ffx_namespace"], known["ffx_per_namespace"]) == ("acme", 1000)
    assert call("bounded").variables["ffx_caller"] == "acme/bounded nobody 192.0.2.7"
    assert known["ffx_bounded"] == "1"
    unbounded = call("public").variables  # APISIX answers 500 where limit-count finds no rule that applies
    assert not {"ffx_caller", "ffx_bounded"} & unbounded.keys()
    assert "ffx_bounded" not in call("bounded", more={"prefer": "respond-async"}).variables


def test_only_preflights_are_answered_by_cors() -> None:
    made = phases()
    asked = {"access-control-request-method": "POST"}
    assert made.request("OPTIONS", "/f/acme/public", asked).variables["ffx_cors"] == "1"
    assert made.request("GET", "/f/acme/public").variables["ffx_cors"] == "1"
    assert "ffx_cors" not in made.request("OPTIONS", "/f/acme/public").variables


def test_without_the_rule_of_the_way_in_nothing_reaches_an_instance() -> None:
    made = phases()
    made.objects.of("global_rules")["ffx-edge"]["plugins"]["serverless-pre-function"]["functions"] = [
        "return function() end"
    ]
    way = made.request("GET", "/f/acme/public", {"x-ffx-user": "u-alice"})
    assert (way.status, way.problem["code"]) == (503, "unavailable")


def test_answers_lose_what_only_the_platform_says() -> None:
    made = phases()
    way = made.request("GET", "/f/acme/public", {"x-request-id": "id-1"})
    told = {
        "X-Ffx-Overflow": "1",
        "Server-Timing": "ffx-start;dur=9, db;dur=1",
        "Set-Cookie": ["ffx_session=evil", "mine=1"],
        "Service-Worker-Allowed": "/",
        "Content-Security-Policy": "default-src 'self'",
    }
    got = made.answer(way, 200, told)
    assert "x-ffx-overflow" not in got
    assert "service-worker-allowed" not in got
    assert (got["server-timing"], got["set-cookie"]) == ("db;dur=1", ["mine=1"])
    assert got["content-security-policy"] == ["default-src 'self'", "sandbox allow-scripts allow-forms"]
    assert (got["x-request-id"], got["ffx-revision"]) == ("id-1", "3")
    proved = made.answer(way, 200, {"Server-Timing": "ffx-start;dur=9", "Ffx-Proof": PROOF})
    assert (proved["server-timing"], "ffx-proof" in proved) == ("ffx-start;dur=9", False)


def test_what_the_gateway_says_itself_is_a_problem_and_a_functions_answer_stays() -> None:
    made = phases()
    way = made.request("GET", "/f/acme/public")
    html = {"Content-Type": "text/html"}
    assert made.answer(way, 404, html)["content-type"] == "text/html"
    own = made.answer(way, 429, html, upstream=False)
    assert (own["content-type"], own["retry-after"]) == ("application/problem+json", "60")


def test_functions_with_a_host_of_their_own() -> None:
    made = phases(functions_host="fn.example.org")
    assert made.request("GET", "/f/acme/public", host="FN.example.org").status is None
    assert made.request("GET", "/f/acme/public", host="other").status == 404
    assert made.request("GET", "/functions", host="fn.example.org").status == 404
    way = made.request("GET", "/f/acme/public", {"cookie": "ffx_x=1"}, host="fn.example.org")
    assert way.headers["cookie"] == "ffx_x=1"
    assert "content-security-policy" not in made.answer(way, 200, {})


def test_our_own_tokens_have_the_head_that_is_looked_for(tmp_path: Path) -> None:
    keys = SigningKeys(tmp_path)
    keys.ensure()
    signed = keys.sign({"exp": 1}, typ=TOKEN_TYPE)
    assert signed.split(".")[0] in heads([TrustedIssuer("i", AUDIENCE, json.dumps(keys.jwks()))])


def test_text_of_any_content_stays_text_in_lua() -> None:
    from lupa import luajit21

    runtime = luajit21.LuaRuntime(encoding=None)
    for text in ('a"b', "]]", "\\", "\n", "é", "a\0b", '" .. os.exit() .. "'):
        assert runtime.eval(b"(" + lua(text).encode() + b")") == text.encode()
