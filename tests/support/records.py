"""Records of the model with everything filled in."""

from __future__ import annotations

from typing import Any

from faasioflex.model.function import Change, CodeSource, FunctionRecord, FunctionSpec


def function_record(
    namespace: str,
    name: str,
    *,
    uid: str = "uid-1",
    latest: int = 1,
    change: Change = "registered",
    updated_at: float = 1_700_000_000.0,
    **spec: Any,
) -> FunctionRecord:
    """``spec``: fields of FunctionSpec."""
    return FunctionRecord(
        uid=uid,
        spec=FunctionSpec(namespace, name, "python", **spec),
        source=CodeSource("a" * 64, 100),
        latest=latest,
        revisions={latest: f"{namespace}.{name}.{latest}-abc"},
        rollouts=(latest,),
        split={},
        created_at=1_700_000_000.0,
        updated_at=updated_at,
        change=change,
    )
