"""``/docs``: one file, without anything from elsewhere, so that it works where there is no internet."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from importlib.resources import files


@lru_cache
def docs_page() -> tuple[str, str]:
    """The page, and the Content-Security-Policy that allows exactly its own script and style."""
    page = files("faasioflex.api").joinpath("docs.html").read_text("utf-8")
    script, style = (_hash(page, tag) for tag in ("script", "style"))
    policy = (
        f"default-src 'none'; connect-src 'self'; script-src {script}; style-src {style}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy


def _hash(page: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    content = found[1] if found else ""
    return "'sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() + "'"
