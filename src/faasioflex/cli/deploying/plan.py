"""From a folder and flags to what is sent. Reads files, sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faasioflex.cli.manifest import guess_name, guess_runtime, merged, read_manifest
from faasioflex.cli.packing.pack import Archive, pack
from faasioflex.model.errors import BadRequest
from faasioflex.model.names import ADMIN_NAMESPACE, FunctionName


@dataclass(frozen=True)
class Plan:
    """``whole``: the document says everything (it comes from function.yaml), so what it leaves out goes back to its default."""

    function: FunctionName
    document: dict[str, Any]
    archive: Archive | None
    whole: bool
    folder: Path | None = None  # of the archive

    def of_new_function(self) -> dict[str, Any]:
        """The document with a runtime. Only a new function's is guessed: one that is there has its own.

        Raises: BadRequest where the files do not say it.
        """
        if self.folder is None or self.document.get("runtime") is not None:
            return self.document
        return {**self.document, "runtime": guess_runtime(self.folder)}


@dataclass(frozen=True)
class Wishes:
    """What the flags say; ``changes`` are fields of the resource."""

    name: str | None = None
    image: str | None = None
    no_traffic: bool = False
    changes: Mapping[str, Any] = field(default_factory=dict)


def plan(folder: Path | None, wishes: Wishes, own_namespace: Callable[[], str] = lambda: ADMIN_NAMESPACE) -> Plan:
    """``folder`` None with an image: there is no code to pack. ``own_namespace`` is asked where nothing else names one.

    Raises: BadRequest, Invalid, BadArchive, PayloadTooLarge.
    """
    if folder is None and wishes.image is None:
        folder = Path()
    if folder is not None and not folder.is_dir():
        raise BadRequest(f"{folder} is not a folder: 'ffx new {folder}' makes one with a function in it")
    manifest = read_manifest(folder) if folder else None
    document = merged(manifest or {}, wishes.changes)
    if wishes.image is not None:
        document |= {"source": {"image": wishes.image}, "runtime": "image"}
    if wishes.no_traffic:
        document["rollout"] = "none"
    function = _name(wishes.name, document, folder, own_namespace)
    document |= {"namespace": function.namespace, "name": function.name}
    archive = None
    if folder is not None and "source" not in document:
        if manifest is not None and document.get("runtime") is None:
            document["runtime"] = guess_runtime(folder)
        archive = pack(folder)
    return Plan(function, document, archive, whole=manifest is not None, folder=folder if archive else None)


def _name(
    said: str | None, document: Mapping[str, Any], folder: Path | None, own_namespace: Callable[[], str]
) -> FunctionName:
    """Raises: BadRequest where nothing names the function, Invalid for what is no name."""
    name = said or document.get("name") or (guess_name(folder) if folder else None)
    if name is None:
        raise BadRequest("name the function: --name NAME")
    if "/" in str(name):
        return FunctionName.parse(str(name))
    return FunctionName.parse(str(name), str(document.get("namespace") or own_namespace()))
