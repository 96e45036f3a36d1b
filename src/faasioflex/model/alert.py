"""Something that somebody should look at (bucket ``ffx_alerts``, key ``kind.ns.name`` or ``kind.platform``, written by the API).

Each write is an event: one when it begins, one when it ends. What has ended is removed then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from faasioflex.model.names import FunctionName

AlertKind = Literal["overload", "crash-loop", "queue-age", "error-rate", "capacity"]
AlertState = Literal["firing", "resolved"]
PLATFORM = "platform"


@dataclass(frozen=True)
class Alert:
    """``value`` was measured when it began or ended, in ``unit`` like ``threshold``; ``message`` is the same in a sentence."""

    kind: AlertKind
    about: str  # ns.name, or «platform»
    function_uid: str  # "" of the platform
    state: AlertState
    value: float
    threshold: float
    unit: str
    since: float  # when it began; seconds since the epoch
    message: str

    @property
    def key(self) -> str:
        return f"{self.kind}.{self.about}"

    @property
    def function(self) -> FunctionName | None:
        """None: it is of the platform."""
        return None if self.about == PLATFORM else FunctionName.from_key(self.about)
