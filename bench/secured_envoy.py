"""A bare Envoy with JWT and RBAC, to compare the gateway with: a token is asked for and one caller is let in."""

from __future__ import annotations

from typing import Any

from bench.figures import Json

_AT = "type.googleapis.com/envoy.extensions.filters.http"


def filters(issuer: str, audience: str, jwks: str, admitted: str) -> list[Json]:
    """In front of the router."""
    provider = {
        "issuer": issuer,
        "audiences": [audience],
        "local_jwks": {"inline_string": jwks},
        "forward": False,
        "claim_to_headers": [{"claim_name": "pid", "header_name": "x-pid"}],
        "jwt_cache_config": {"jwt_cache_size": 100},
    }
    rules = [{"match": {"prefix": "/"}, "requires": {"provider_name": "ours"}}]
    caller: dict[str, Any] = {"header": {"name": "x-pid", "string_match": {"exact": admitted}}}
    policy = {"permissions": [{"any": True}], "principals": [caller]}
    return [
        {
            "name": "jwt",
            "typed_config": {
                "@type": f"{_AT}.jwt_authn.v3.JwtAuthentication",
                "providers": {"ours": provider},
                "rules": rules,
            },
        },
        {
            "name": "rbac",
            "typed_config": {
                "@type": f"{_AT}.rbac.v3.RBAC",
                "rules": {"action": "ALLOW", "policies": {"callers": policy}},
            },
        },
    ]
