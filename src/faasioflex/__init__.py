"""FaaSioFlex: a Function-as-a-Service platform that people run on their own machines."""

from __future__ import annotations

__version__: str


def __getattr__(name: str) -> str:
    """``__version__`` when it is asked for: looking it up takes 4 MiB and 30 ms that the small processes need not spend."""
    if name == "__version__":
        from importlib.metadata import version

        return version("faasioflex")
    raise AttributeError(name)
