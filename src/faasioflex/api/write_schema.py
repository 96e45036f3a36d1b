"""Write the JSON schema of the function resource into the package: ``python -m faasioflex.api.write_schema``."""

from __future__ import annotations

import json
from pathlib import Path

from faasioflex.api.schema import function_schema

SCHEMA_FILE = Path(__file__).with_name("function.schema.json")


def text() -> str:
    """The file as it should be."""
    return json.dumps(function_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(text(), "utf-8")
