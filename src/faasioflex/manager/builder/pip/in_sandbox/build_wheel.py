"""In the build sandbox, without network: ask a package's build backend (PEP 517) what it needs, or let it build the wheel.

usage: build_wheel.py requires|build SOURCE TOOLS — SOURCE holds the unpacked archive (read-only, copied to the private
/tmp), TOOLS what was fetched for the build. The answer goes to descriptor 3, the one place outside that can be written: a
JSON list, or the wheel followed by a line break and its name. Standard library only.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import tempfile
import tomllib
from typing import Any

ANSWER = 3
OLD_STYLE = "setuptools.build_meta:__legacy__"


def system(folder: str) -> dict[str, Any]:
    """[build-system] of the package; {} where it has none."""
    path = os.path.join(folder, "pyproject.toml")
    if not os.path.exists(path):
        return {}
    with open(path, "rb") as file:
        return tomllib.load(file).get("build-system") or {}


def backend(folder: str) -> Any:
    described = system(folder)
    sys.path[:0] = [os.path.join(folder, part) for part in described.get("backend-path", [])]
    module, _, attribute = described.get("build-backend", OLD_STYLE).partition(":")
    found = importlib.import_module(module)
    for part in filter(None, attribute.split(".")):
        found = getattr(found, part)
    return found


def main() -> None:
    task, source, tools = sys.argv[1:]
    entries = [os.path.join(source, name) for name in os.listdir(source)]
    root = entries[0] if len(entries) == 1 and os.path.isdir(entries[0]) else source
    scratch = tempfile.mkdtemp()
    folder = os.path.join(scratch, "package")
    shutil.copytree(root, folder)
    os.chdir(folder)
    sys.path.insert(0, tools)
    os.environ["PYTHONPATH"] = tools  # of what the backend starts
    if task == "requires":
        hook = getattr(backend(folder), "get_requires_for_build_wheel", None)
        needs = hook() if hook else []
        with open(ANSWER, "w", encoding="utf-8") as answer:
            json.dump(needs, answer)
        return
    out = os.path.join(scratch, "wheel")
    os.mkdir(out)
    name = os.path.basename(backend(folder).build_wheel(out))
    with open(os.path.join(out, name), "rb") as wheel, open(ANSWER, "wb") as answer:
        shutil.copyfileobj(wheel, answer)
        answer.write(b"\n" + name.encode())
    print(f"built {name}")


main()
