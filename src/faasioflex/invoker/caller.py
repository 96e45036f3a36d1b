"""Who makes a call, and what the function is told of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from faasioflex.identity.principal import ANONYMOUS, Principal
from faasioflex.identity.tokens.mint import LONGEST_GROUPS  # the gateway takes them from the tokens
from faasioflex.invoker.http1.head import Headers
from faasioflex.model.errors import NotAuthenticated

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Caller:
    """``refused``: why the token that was shown does not count; the caller is anonymous then."""

    principal: Principal = ANONYMOUS
    refused: NotAuthenticated | None = None

    @property
    def headers(self) -> Headers:
        """``X-Ffx-User``, ``-Groups``, ``-Email`` for the instance."""
        principal = self.principal
        if principal.kind == "anonymous":
            return []
        fields = [
            (b"x-ffx-user", principal.uid),
            (b"x-ffx-groups", _joined(principal)),
            (b"x-ffx-email", principal.email),
        ]
        return [(name, _UNPRINTABLE.sub("", value).encode()) for name, value in fields if value]


NOBODY = Caller()


def _joined(principal: Principal) -> str:
    text = ""
    for name in sorted(principal.groups):
        more = f"{text},{name}" if text else name
        if len(more) > LONGEST_GROUPS:
            break
        text = more
    return text
