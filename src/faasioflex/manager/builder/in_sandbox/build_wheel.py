"""In the build sandbox, without network: ask a package's build backend (PEP 517) what it needs, or let it build the wheel.

usage: build_wheel.py requires|build SOURCE TOOLS OUT — SOURCE holds the unpacked archive (read-only, copied to the private
/tmp), TOOLS what was fetched for the build, OUT gets requires.json or the wheel. Standard library only.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import tomllib
from typing import Any

OLD_STYLE: dict[str, Any] = {"requires": ["setuptools>=40.8.0"], "build-backend": "setuptools.build_meta:__legacy__"}


def system(folder: str) -> dict[str, Any]:
    """[build-system] of the package, or what PEP 518 says of one that has none."""
    path = os.path.join(folder, "pyproject.toml")
    if not os.path.exists(path):
        return OLD_STYLE
    with open(path, "rb") as file:
        found = tomllib.load(file).get("build-system") or {}
    return {**OLD_STYLE, **found}


def backend(described: dict[str, Any], folder: str) -> Any:
    sys.path[:0] = [os.path.join(folder, part) for part in described.get("backend-path", [])]
    module, _, attribute = described["build-backend"].partition(":")
    found = importlib.import_module(module)
    for part in filter(None, attribute.split(".")):
        found = getattr(found, part)
    return found


def main() -> None:
    task, source, tools, out = sys.argv[1:]
    entries = [os.path.join(source, name) for name in os.listdir(source)]
    root = entries[0] if len(entries) == 1 and os.path.isdir(entries[0]) else source
    folder = os.path.join("/tmp", "package")  # noqa: S108 - the sandbox's private tmpfs
    shutil.copytree(root, folder)
    os.chdir(folder)
    sys.path.insert(0, tools)
    os.environ["PYTHONPATH"] = tools  # of what the backend starts
    described = system(folder)
    if task == "build":
        print(backend(described, folder).build_wheel(out))
        return
    needs = list(described.get("requires", []))
    if os.listdir(tools):
        hook = getattr(backend(described, folder), "get_requires_for_build_wheel", None)
        needs += hook() if hook else []
    with open(os.path.join(out, "requires.json"), "w", encoding="utf-8") as file:
        json.dump(sorted(set(needs)), file)


main()
