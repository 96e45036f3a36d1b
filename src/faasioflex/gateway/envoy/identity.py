"""Who calls: Envoy verifies the token and sets the identity headers. It refuses nobody for it.

A token that does not hold leaves a call without identity; whoever needs one is then answered by the invoker or the API, which
look at the token themselves and say what is wrong with it (docs/adr/0013).

The filters stand in files of their own, read through extension discovery from the disk: keys rotate and tokens are revoked
without a listener that drains, and an Envoy that restarts without anybody to ask verifies with what was there last.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from faasioflex.gateway.envoy import discovered
from faasioflex.gateway.envoy.proto import Json, typed
from faasioflex.gateway.envoy.scripts import elsewhere_script, exactly, only_for, present
from faasioflex.gateway.envoy.settings import EnvoySettings
from faasioflex.gateway.port import TrustedIssuer
from faasioflex.identity.access import Revoked
from faasioflex.identity.claims import TOKEN_TYPE
from faasioflex.identity.tokens.keys import ALGORITHM
from faasioflex.model.identity import TokenKind

TOKEN_FILTER = "ffx.token"  # noqa: S105 - the name of a filter
REVOKED_FILTER = "ffx.revoked"
TOKEN_FILE = "token.json"  # noqa: S105 - the name of a file
REVOKED_FILE = "revoked.json"
CLOCK_SKEW_S = 5
REMEMBERED_TOKENS = 2000
PID_HEADER = "x-ffx-pid"  # what the rules of functions name; of a verified token alone
JTI_HEADER = "x-ffx-jti"
USER_HEADER = "x-ffx-user"
CLAIMS_HEADER = "x-ffx-claims"  # kind, iat and nbf, joined by commas
# Claim -> header. What functions see is x-ffx-user, -groups and -email.
CLAIMS = {
    "pid": PID_HEADER,
    "jti": JTI_HEADER,
    "sub": USER_HEADER,
    "ffx_groups": "x-ffx-groups",
    "email": "x-ffx-email",
    "kind": CLAIMS_HEADER,
    "iat": CLAIMS_HEADER,
    "nbf": CLAIMS_HEADER,
}
_OUR_CLAIMS = rf"(?:{'|'.join(map(re.escape, get_args(TokenKind)))}),[0-9]+,[0-9]+"
OF_TOKENS = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
OF_WRAPPED = "type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher"


def filters(settings: EnvoySettings) -> list[Json]:
    """In order, before everything that asks who calls."""
    return [
        discovered.named(TOKEN_FILTER, settings.folder / TOKEN_FILE, OF_TOKENS),
        discovered.named(REVOKED_FILTER, settings.folder / REVOKED_FILE, OF_WRAPPED),
    ]


def write_tokens(folder: Path, issuers: Iterable[TrustedIssuer]) -> bool:
    """Whose tokens are verified, from now on. False where that is what stands there already."""
    return discovered.write(folder / TOKEN_FILE, TOKEN_FILTER, jwt_authn(issuers))


def write_revoked(
    folder: Path, revoked: Revoked, elsewhere: tuple[str, str], issuers: Iterable[TrustedIssuer] = ()
) -> bool:
    """What was revoked, from now on. ``elsewhere``: the header and value by which a call goes to the invoker."""
    return discovered.write(folder / REVOKED_FILE, REVOKED_FILTER, revocation(revoked, elsewhere, issuers))


def write_missing(folder: Path, elsewhere: tuple[str, str]) -> None:
    """Before Envoy starts: files must be there. Of a platform that ran before they stay as they are."""
    if not (folder / TOKEN_FILE).exists():
        write_tokens(folder, ())
    if not (folder / REVOKED_FILE).exists():
        write_revoked(folder, Revoked(), elsewhere)


def jwt_authn(issuers: Iterable[TrustedIssuer]) -> Json:
    """Every token of these issuers is verified, and none is asked for."""
    providers = {f"issuer-{number}": _provider(each) for number, each in enumerate(issuers)}
    fields: Json = {}
    if providers:
        anyone: list[Json] = [*({"provider_name": name} for name in providers), {"allow_missing_or_failed": {}}]
        fields = {
            "providers": providers,
            "rules": [{"match": {"prefix": "/"}, "requires": {"requires_any": {"requirements": anyone}}}],
        }
    return typed("envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication", **fields)


def revocation(revoked: Revoked, elsewhere: tuple[str, str], issuers: Iterable[TrustedIssuer] = ()) -> Json:
    """Calls with a token that was revoked, and all calls of people some of whose tokens were, go to the invoker.

    So do calls with several tokens: two readers could take two of them for the one that counts. It verifies again and knows
    from when on a person's tokens count. And so do tokens that hold and are not as we make them.
    """
    several: Json = {
        "single_predicate": {"input": _header("authorization"), "value_match": {"contains": ","}},
    }
    run = [
        several,
        _odd(issuers),
        *(exactly(_header(JTI_HEADER), jti) for jti in sorted(revoked.jtis)),
        *(exactly(_header(USER_HEADER), uid) for uid, _ in revoked.subjects),
    ]
    return only_for(REVOKED_FILTER, elsewhere_script(elsewhere), run)["typed_config"]  # type: ignore[no-any-return]


def _odd(issuers: Iterable[TrustedIssuer]) -> Json:
    """Verified, but not with a header of ours to the letter, or without a claim that all of ours have: Envoy looks at neither.

    ``typ``, ``crit`` and what else a header may say are in the first segment, which is the same for all tokens of a key.
    """
    heads = sorted({head for issuer in issuers if issuer.ours for head in _heads(issuer.jwks)})
    authorization = _header("authorization")
    wanted = [
        {"or_matcher": {"predicate": [_matches(authorization, {"prefix": f"Bearer {head}."}) for head in heads]}}
        if len(heads) > 1
        else _matches(authorization, {"prefix": f"Bearer {heads[0] if heads else '-'}."}),
        {"not_matcher": _matches(authorization, {"suffix": "="})},
        present("Request", CLAIMS_HEADER, _OUR_CLAIMS),
        present("Request", JTI_HEADER, r"\C+"),
        present("Request", USER_HEADER, r"\C+"),
    ]
    ours = {"and_matcher": {"predicate": wanted}}
    return {"and_matcher": {"predicate": [present("Request", PID_HEADER), {"not_matcher": ours}]}}


def _heads(jwks: str) -> Iterable[str]:
    """The first segments of tokens, as :meth:`SigningKeys.sign` makes them."""
    for key in json.loads(jwks)["keys"]:
        header = {"typ": TOKEN_TYPE, "alg": ALGORITHM, "kid": key["kid"]}
        yield base64.urlsafe_b64encode(json.dumps(header, separators=(",", ":")).encode()).rstrip(b"=").decode()


def _matches(match_input: Json, match: Json) -> Json:
    return {"single_predicate": {"input": match_input, "value_match": match}}


def _provider(issuer: TrustedIssuer) -> Json:
    made: Json = {
        "issuer": issuer.issuer,
        "audiences": [issuer.audience],
        "local_jwks": {"inline_string": issuer.jwks},
        "forward": True,  # the API and the invoker verify for themselves; instances do not get it
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],  # else also ?access_token= would do
        "require_expiration": True,
        "clock_skew_seconds": CLOCK_SKEW_S,
        "jwt_cache_config": {"jwt_cache_size": REMEMBERED_TOKENS},
    }
    if issuer.ours:
        made["claim_to_headers"] = [{"claim_name": claim, "header_name": name} for claim, name in CLAIMS.items()]
    return made


def _header(name: str) -> Json:
    return {
        "name": name,
        "typed_config": typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=name),
    }
