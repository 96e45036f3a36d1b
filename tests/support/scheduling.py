"""Which tests one process of the suite gets together (pytest-xdist's ``--dist loadfile``, with two exceptions)."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

TOGETHER = ("tests/security/hostile/",)  # folders that share what is dear: a platform with a function in every language
APART = ("tests/contract/runtime/",)  # folders of long files that share nothing


class Files(LoadFileScheduling):
    """A file's tests go to one process, for they share a platform; of a folder of ``TOGETHER`` all do, of ``APART`` each goes alone."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def unit_of(nodeid: str) -> str:
    """The name of what a test goes with."""
    for folder in TOGETHER:
        if nodeid.startswith(folder):
            return folder
    return nodeid if nodeid.startswith(APART) else nodeid.partition("::")[0]
