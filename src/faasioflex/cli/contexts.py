"""Named platforms in ``~/.config/faasioflex/config.toml``: a URL each, where its token is, the namespace of short names."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faasioflex.model.errors import BadRequest

LOCAL = "local"  # stands for the platform on this machine, wherever a context is named


@dataclass(frozen=True)
class Context:
    name: str
    url: str
    token_file: str | None = None
    namespace: str | None = None
    ca_file: str | None = None


def config_file() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "faasioflex" / "config.toml"


@dataclass(frozen=True)
class Contexts:
    """The whole file; ``used`` names the context in use, None for the platform on this machine."""

    used: str | None = None
    known: dict[str, Context] = field(default_factory=dict)

    @property
    def current(self) -> Context | None:
        return self.known.get(self.used) if self.used else None

    def get(self, name: str) -> Context:
        """Raises: BadRequest where there is none of that name."""
        try:
            return self.known[name]
        except KeyError:
            there = ", ".join(self.known) or "none yet; 'ffx context create NAME --url URL' makes one"
            raise BadRequest(f"there is no context {name!r}: {there}") from None

    def with_context(self, context: Context) -> Contexts:
        return dataclasses.replace(self, known={**self.known, context.name: context})

    def without(self, name: str) -> Contexts:
        self.get(name)
        known = {key: value for key, value in self.known.items() if key != name}
        return Contexts(None if self.used == name else self.used, known)

    def using(self, name: str | None) -> Contexts:
        if name is not None:
            self.get(name)
        return dataclasses.replace(self, used=name)

    @classmethod
    def load(cls) -> Contexts:
        """Raises: BadRequest where the file is there and cannot be understood."""
        path = config_file()
        try:
            document = tomllib.loads(path.read_text())
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError) as error:
            raise BadRequest(f"{path} cannot be read: {error}") from error
        known = {name: _context(name, table, path) for name, table in document.get("contexts", {}).items()}
        return cls(document.get("context"), known)

    def save(self) -> None:
        """Write the file (0600) as a whole: a crash leaves the old one."""
        import tomli_w

        document: dict[str, Any] = {"context": self.used} if self.used else {}
        document["contexts"] = {
            name: {
                key: value for key, value in dataclasses.asdict(context).items() if key != "name" and value is not None
            }
            for name, context in self.known.items()
        }
        path = config_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}.new")
        new.touch(mode=0o600)
        new.write_text(tomli_w.dumps(document))
        new.replace(path)


def _context(name: str, table: Any, path: Path) -> Context:
    fields = {f.name for f in dataclasses.fields(Context)} - {"name"}
    if not isinstance(table, dict) or not isinstance(table.get("url"), str):
        raise BadRequest(f"{path}: the context {name!r} has no url")
    return Context(name, **{key: value for key, value in table.items() if key in fields})
