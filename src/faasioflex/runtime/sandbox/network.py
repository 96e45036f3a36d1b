"""The network of one sandbox: its own and empty, but for what leads to the egress relay."""

from __future__ import annotations

from collections.abc import Callable

from faasioflex.runtime.children import Children
from faasioflex.runtime.egress.link import Link
from faasioflex.runtime.egress.listeners import open_inside
from faasioflex.runtime.egress.messages import Denial, Guest


class SandboxNetwork:
    """``open`` before any code of the sandbox's runs; ``close`` ends every connection that leads out of it."""

    def __init__(self, guest: Guest, link: Link, children: Children, on_denial: Callable[[Denial], None]) -> None:
        self._guest = guest
        self._plan = guest.plan
        self._link = link
        self._children = children
        self._on_denial = on_denial

    @property
    def hosts(self) -> str | None:
        """Its /etc/hosts, where it differs from everybody's."""
        return self._plan.hosts if self._plan.names else None

    async def open(self, init: int) -> None:
        """In the network of the process ``init``. Raises: OSError."""
        plan = self._plan
        descriptors = await open_inside(init, plan.listeners, plan.addresses, self._children)
        self._link.add(self._guest, descriptors, self._on_denial)

    def close(self) -> None:
        self._link.remove(self._guest.id)
