"""The bus inside one process, for tests: the whole port, with JSON in between as in the real one."""

from faasioflex.bus.memory.bus import MemoryBus

__all__ = ["MemoryBus"]
