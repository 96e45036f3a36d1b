"""Reading a go.mod as far as a builder has to: whether anything has to be fetched for it. Pure; the go command reads the rest."""

from __future__ import annotations

import re

OURS = "faasioflex.dev/faasioflex"
_ALONE = ("module", "go", "toolchain", "godebug", "retract")
_BLOCK = re.compile(r"^(\w+)\s*\($")


def needs_fetch(text: str) -> bool:
    """Whether a go.mod asks for any module but the platform's own. In doubt, yes."""
    block = ""
    for raw in text.splitlines():
        line = raw.partition("//")[0].strip()
        if not line:
            continue
        if block:
            if line == ")":
                block = ""
                continue
            words = [block, *line.split()]
        elif opened := _BLOCK.match(line):
            block = opened[1]
            continue
        else:
            words = line.split()
        if words[0] in _ALONE:
            continue
        if len(words) < 2 or words[1].strip('"`') != OURS:
            return True
    return False


def default_module(go_version: str) -> str:
    """For code without a go.mod."""
    major, minor, *_ = go_version.split(".")
    return f"module function\n\ngo {major}.{re.sub('[^0-9].*', '', minor)}\n"
