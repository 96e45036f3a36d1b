"""APISIX's own schema of its objects, where it lies beside the checkout: it is somebody else's file and not part of the project."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = Path(__file__).resolve().parents[3] / "shared/apisix/schema-3.18.0.json"
WITHOUT = "APISIX's own schema (shared/apisix/schema-3.18.0.json) is not beside this checkout: its objects are not held against it"
ONE = {
    "routes": "route",
    "upstreams": "upstream",
    "services": "service",
    "plugin_configs": "plugin_config",
    "global_rules": "global_rule",
}


def wrong_with(kind: str, identifier: str, made: dict[str, Any]) -> str | None:
    """Why APISIX would refuse it; None where it would not, or where there is no schema."""
    if not SCHEMA.exists():
        return None
    resources, plugins = _validators()
    found = [*resources[ONE[kind]].iter_errors({**made, "id": identifier})]
    for name, config in made.get("plugins", {}).items():
        if name not in plugins:
            return f"unknown plugin [{name}]"
        found += plugins[name].iter_errors(config)
        if "group" in config and "rules" in config:
            return "group and rules cannot be specified at the same time"
    return found[0].message if found else None


@cache
def _validators() -> tuple[dict[str, Any], dict[str, Any]]:
    told = json.loads(SCHEMA.read_text())
    checked = jsonschema.Draft7Validator
    return (
        {name: checked(told["main"][name]) for name in ONE.values()},
        {name: checked(each["schema"]) for name, each in told["plugins"].items()},
    )
