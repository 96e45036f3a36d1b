"""What a namespace's quota leaves to start. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from faasioflex.model.identity import Quota


@dataclass(frozen=True)
class Room:
    """``instances`` and ``memory_bytes``: of everything that runs in the namespace, also of what is on its way out."""

    namespace: str
    quota: Quota
    instances: int
    memory_bytes: int

    def why_not(self, memory_bytes: int) -> str | None:
        """None where one more instance of that size fits, else which quota is in the way, and its value."""
        most = self.quota.instances
        if most is not None and self.instances + 1 > most:
            return (
                f"The namespace {self.namespace} may have {most} instances and {self.instances} run: wait until one ends, "
                "scale a function down, or have its quota 'instances' raised"
            )
        most = self.quota.memory_bytes
        if most is not None and self.memory_bytes + memory_bytes > most:
            return (
                f"The instances of the namespace {self.namespace} may take {most} bytes of memory, take {self.memory_bytes}, "
                f"and this one would take {memory_bytes} more: wait until one ends, scale a function down, or have its quota "
                "'memory_bytes' raised"
            )
        return None

    def without(self, memory_bytes: int) -> Room:
        """What is left when one of that size was started."""
        return Room(self.namespace, self.quota, self.instances + 1, self.memory_bytes + memory_bytes)
