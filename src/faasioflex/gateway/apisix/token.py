"""Who calls: openid-connect verifies the tokens that this platform makes. All others are the invoker's to look at.

One issuer's keys are asked for by one discovery document; our own tokens name each address that this platform has had, with the
same keys. A login's own tokens are not verified here: they do not say who that is among us.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable

from faasioflex.gateway.apisix.objects import Json
from faasioflex.gateway.port import TrustedIssuer
from faasioflex.identity.claims import TOKEN_TYPE
from faasioflex.identity.tokens.keys import ALGORITHM
from faasioflex.model.errors import NotAuthenticated
from faasioflex.model.problem import PROBLEM_TYPE_BASE

CLOCK_SKEW_S = 5
CLAIMS = ("exp", "iat", "nbf", "jti", "sub", "pid", "kind")
_WHOLE, _TEXT = {"type": "number", "minimum": 0}, {"type": "string", "minLength": 1}
_REFUSED = {
    "type": PROBLEM_TYPE_BASE + NotAuthenticated.code,
    "title": NotAuthenticated.title,
    "status": 401,
    "detail": "The token's signature does not hold, or it is not for this platform.",
    "code": NotAuthenticated.code,
}


def ours(issuers: Iterable[TrustedIssuer]) -> tuple[TrustedIssuer, ...]:
    """Those whose tokens are verified: of one audience and one set of keys, as all of this platform's are."""
    mine = [each for each in issuers if each.ours]
    return tuple(each for each in mine if (each.audience, each.jwks) == (mine[0].audience, mine[0].jwks))


def heads(issuers: Iterable[TrustedIssuer]) -> frozenset[str]:
    """The first segments of their tokens to the letter: with ``typ`` and ``kid``, and without ``crit`` or another ``alg``."""
    found = set()
    for issuer in issuers:
        for key in json.loads(issuer.jwks)["keys"]:
            header = {"typ": TOKEN_TYPE, "alg": ALGORITHM, "kid": key["kid"]}
            text = json.dumps(header, separators=(",", ":")).encode()
            found.add(base64.urlsafe_b64encode(text).rstrip(b"=").decode())
    return frozenset(found)


def openid_connect(issuers: tuple[TrustedIssuer, ...], discovery: str) -> Json:
    """The plugin's configuration; it runs for what looks like a token of ours, and for nothing else.

    ``cache_segment``: APISIX keeps what it has verified under the token alone, whatever issuer that was for. Here it is named
    after the issuers and their keys, so neither another issuer's tokens nor those of a key that is gone are found in it.
    """
    names = sorted(each.issuer for each in issuers)
    segment = hashlib.sha256("\n".join([*names, issuers[0].audience, issuers[0].jwks, discovery]).encode()).hexdigest()
    return {
        "client_id": issuers[0].audience,
        "discovery": discovery,
        "bearer_only": True,
        "use_jwks": True,
        "token_signing_alg_values_expected": ALGORITHM,
        "accept_unsupported_alg": False,
        "set_access_token_header": False,
        "set_id_token_header": False,
        "cache_segment": f"ffx-{segment[:16]}",
        "claim_validator": {
            "issuer": {"valid_issuers": names},
            "audience": {"required": True, "match_with_client_id": True},
        },
        "claim_schema": {
            "type": "object",
            "required": list(CLAIMS),
            "properties": {name: _WHOLE if name in {"exp", "iat", "nbf"} else _TEXT for name in CLAIMS},
        },
        "_meta": {"filter": [["ffx_token", "==", "ours"]], "error_response": _REFUSED},
    }
