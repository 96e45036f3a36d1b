"""What a verified token says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from faasioflex.model.identity import TokenKind

AUDIENCE = "faasioflex"  # of every token that the platform takes; of a login's own tokens it is the client's id
TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068: so that an ID token is never taken for one


@dataclass(frozen=True)
class Claims:
    """``source`` "platform": signed by the token service. "login": the login's own (Dex), for ``user_id(issuer, subject)``.

    In JSON: ``iss, sub, aud, exp, iat, nbf, jti`` and, in the platform's, ``pid`` (what the gateway's rules name), ``kind``
    (model.identity.TokenKind), ``groups`` (list), ``ffx_groups`` (the same, joined by commas, for a header), ``email``, ``name``,
    ``namespace``, ``role``, and ``function_uid`` in a function's.
    """

    source: Literal["platform", "login"]
    issuer: str
    subject: str  # uid of a person, id of a service token, f-ns.name of a function; a login's own subject
    pid: str
    jti: str
    issued_at: float
    expires_at: float
    kind: TokenKind = "access"
    email: str = ""
    name: str = ""
    groups: tuple[str, ...] = field(default=())
    function_uid: str = ""
