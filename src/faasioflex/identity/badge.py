"""Who somebody is, as one part tells another that believes it: what of a verified token the directory needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from faasioflex.identity.claims import Claims
from faasioflex.identity.principal import FUNCTION_PREFIX, PERSONAL_PREFIX, SERVICE_PREFIX
from faasioflex.model.identity import TokenKind

_NONE = "-"


@dataclass(frozen=True)
class Badge:
    """``text`` and ``parse`` are each other's inverse; no field has a space in it."""

    pid: str
    uid: str
    jti: str
    issued_at: float  # epoch seconds
    function_uid: str = ""
    rights: str = ""  # on NATS: a digest of what the connection may do

    @property
    def text(self) -> str:
        fields = (self.pid, self.uid, self.jti, f"{self.issued_at:.3f}", self.function_uid, self.rights)
        return " ".join(field or _NONE for field in fields)

    @classmethod
    def parse(cls, text: str) -> Badge:
        """Raises: ValueError."""
        pid, uid, jti, issued_at, function_uid, rights = ("" if field == _NONE else field for field in text.split(" "))
        if not pid:
            raise ValueError("a badge without a name")
        return cls(pid, uid, jti, float(issued_at), function_uid, rights)

    @property
    def claims(self) -> Claims:
        """As of a token of the platform; whoever believes the badge knows that it has not expired."""
        return Claims(
            source="platform",
            issuer="",
            subject=self.uid,
            pid=self.pid,
            jti=self.jti,
            issued_at=self.issued_at,
            expires_at=self.issued_at,
            kind=kind_of(self.pid),
            function_uid=self.function_uid,
        )


def kind_of(pid: str) -> TokenKind:
    """Of the tokens that have that ``pid``."""
    prefixes: tuple[tuple[str, TokenKind], ...] = (
        (PERSONAL_PREFIX, "personal"),
        (SERVICE_PREFIX, "service"),
        (FUNCTION_PREFIX, "function"),
    )
    return next((kind for prefix, kind in prefixes if pid.startswith(prefix)), "access")
