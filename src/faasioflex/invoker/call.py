"""A call as it is handed to an instance, whoever made it: a client through the gateway, execute, or a message."""

from __future__ import annotations

from dataclasses import dataclass

from faasioflex.invoker.body import Body
from faasioflex.invoker.caller import NOBODY, Caller
from faasioflex.invoker.http1.head import Headers, write_head
from faasioflex.invoker.target import Target

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
HAS_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(eq=False)
class Call:
    """``headers`` are the caller's without hop-by-hop fields and without ``x-ffx-*`` (see ``headers``).

    ``caller`` is what the policy is asked of; ``keeps_authorization``: its Authorization is the function's own business.
    """

    target: Target
    method: str
    headers: Headers
    body: Body
    request_id: str
    caller: Caller = NOBODY
    keeps_authorization: bool = True
    timeout_s: float | None = None  # shorter than the function's own
    upgrade: bytes | None = None  # "websocket"
    metered: bool = False  # counted against rates and quotas here: the gateway does not see it as a call
    address: str = ""  # of the client, where the gateway tells it
    must_have_revision: bool = False  # the caller named it: no other will do
    patient: bool = (
        False  # out of the queue: it waits for a place as long as it takes, behind those that somebody waits for
    )
    linked_to: str | None = None  # traceparent of the request by which a queued call was accepted
    handed_over_at: float | None = None  # to an instance, of the loop's clock
    revision: int | None = None  # that it goes to; 0 while its function has none, None while none is known
    status: int | None = None  # of the answer, as far as there is one

    @property
    def idempotent(self) -> bool:
        return self.method in IDEMPOTENT and self.upgrade is None

    def head(self, revision: int) -> bytes:
        """Request line and fields for an instance of ``revision``."""
        function, length = self.target.function, self.body.length
        passed = self.headers
        if not self.keeps_authorization:
            passed = [field for field in passed if field[0].lower() != b"authorization"]
        fields = [
            *passed,
            *self.caller.headers,
            (b"x-request-id", self.request_id.encode()),
            (b"x-forwarded-prefix", self.target.prefix.encode()),
            (b"x-ffx-namespace", function.namespace.encode()),
            (b"x-ffx-function", function.name.encode()),
            (b"x-ffx-revision", str(revision).encode()),
        ]
        if self.timeout_s is not None:
            fields.append((b"x-ffx-timeout-s", f"{self.timeout_s:g}".encode()))
        if self.upgrade is not None:
            fields += [(b"connection", b"Upgrade"), (b"upgrade", self.upgrade)]
        elif length is None:
            fields.append((b"transfer-encoding", b"chunked"))
        elif length or self.body.declared or self.method in HAS_BODY:
            fields.append((b"content-length", str(length).encode()))
        if self.body.whole is None:
            fields.append((b"expect", b"100-continue"))
        path = self.target.path.encode("utf-8", "surrogateescape")
        return write_head(self.method.encode() + b" " + path + b" HTTP/1.1", fields)
