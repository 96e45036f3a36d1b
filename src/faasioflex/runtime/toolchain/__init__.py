"""Programs that languages need and that are not ours to ship (node, go): the machine's where suitable, else from PyPI wheels.

``find`` never uses the network, the launcher uses nothing else; ``ensure`` fetches at the first use.
"""

from faasioflex.runtime.toolchain.fetch import ensure, ensure_async, find
from faasioflex.runtime.toolchain.need import Need
from faasioflex.runtime.toolchain.toolchain import Toolchain

__all__ = ["Need", "Toolchain", "ensure", "ensure_async", "find"]
