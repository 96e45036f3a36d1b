"""Settings as they are written in files and in the environment."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from faasioflex.model.errors import Invalid


def read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"The settings file {file} cannot be read: {error}") from error
    try:
        if file.suffix in {".yaml", ".yml"}:
            import yaml

            found = yaml.safe_load(text) or {}
        else:
            found = tomllib.loads(text)
    except Exception as error:
        raise Invalid(f"The settings file {file} does not parse: {error}") from error
    if not isinstance(found, dict):
        raise Invalid(f"The settings file {file} must hold names and values.")
    return {str(name).replace("-", "_"): value for name, value in found.items()}


def convert(kind: str, value: Any) -> Any:
    """``value`` (a text of the environment, or a file's own type) as ``kind``. Raises ValueError with a sentence."""
    if kind == "str | None":
        return None if value is None else str(value)
    if kind == "bool":
        return _truth(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"must be {'a text' if kind == 'str' else 'a number'}")
    if kind == "str":
        return str(value)
    try:
        return int(value) if kind == "int" else float(value)
    except ValueError:
        raise ValueError(f"must be {'a whole number' if kind == 'int' else 'a number'}, not {value!r}") from None


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[str(value).lower()]
    except KeyError:
        raise ValueError(f"must be true or false, not {value!r}") from None
