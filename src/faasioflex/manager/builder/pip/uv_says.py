"""What uv's resolver says when a package has no wheel for this machine. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

_NO_WHEELS = re.compile(r" (?:has|have) no (?:usable )?wheels\b")


@dataclass(frozen=True)
class Missing:
    """``ranges``: version specifiers, one of which has to hold; "" is any version."""

    name: str
    ranges: tuple[str, ...]


def missing_wheel(text: str) -> Missing | None:
    """The package that has to be built from its source, as in «all of: foo>=1.0,<=1.5 foo==1.8 have no usable wheels».

    uv wraps its sentences, so spaces are folded first.
    """
    folded = " ".join(text.split())
    found = _NO_WHEELS.search(folded)
    if found is None:
        return None
    name, ranges = "", []
    for word in reversed(folded[: found.start()].split(" ")):
        try:
            requirement = Requirement(word)
        except InvalidRequirement:
            break
        this = canonicalize_name(requirement.name)
        if name and (this != name or not requirement.specifier):
            break
        name = this
        ranges.append(str(requirement.specifier))
    return Missing(name, tuple(ranges)) if name else None
