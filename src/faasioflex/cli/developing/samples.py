"""Sample requests: the files of the folder ``requests/``, and how each is sent."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from faasioflex.model.errors import BadRequest

FOLDER = "requests"
_TYPES = {".json": "application/json", ".txt": "text/plain; charset=utf-8"}
KINDS = (*_TYPES, ".http")
CALLER_MAY_NOT = ("content-length", "transfer-encoding", "host", "connection")


@dataclass(frozen=True)
class Sample:
    """``path`` begins with a slash. ``file`` None where the body has to be cut out of it."""

    name: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    file: Path | None

    def curl(self, url: str) -> str:
        """A line to paste that sends the same to the function at ``url``."""
        words = ["curl", "-sS"]
        if self.method != ("POST" if self.body else "GET"):
            words += ["-X", self.method]
        words += [word for name, value in self.headers for word in ("-H", f"{name}: {value}")]
        if self.file is not None:
            words += ["--data-binary", f"@{self.file}"]
        elif self.body:
            words += ["--data-binary", self.body.decode("utf-8", "replace")]
        return shlex.join([*words, url.rstrip("/") + self.path])


def read_samples(folder: Path) -> list[Sample]:
    """Those of ``folder/requests``, sorted by name.

    Raises: BadRequest for one that cannot be understood.
    """
    files = [path for path in sorted((folder / FOLDER).glob("*")) if path.suffix in KINDS and path.is_file()]
    return [_read(path) for path in files]


def find_sample(folder: Path, name: str) -> Sample:
    """By its name, with or without its ending.

    Raises: BadRequest, which names those that are there.
    """
    samples = read_samples(folder)
    found = [one for one in samples if name in (one.name, Path(one.name).stem)]
    if not found:
        there = ", ".join(one.name for one in samples) or f"none: put a file like hello.json into {folder / FOLDER}"
        raise BadRequest(f"there is no sample request {name!r}; there are {there}")
    return found[0]


def _read(path: Path) -> Sample:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from error
    if path.suffix == ".http":
        return _parse(path, content)
    return Sample(path.name, "POST", "/", (("Content-Type", _TYPES[path.suffix]),), content, path)


def _parse(path: Path, content: bytes) -> Sample:
    """``METHOD /path``, header fields, an empty line, the body."""
    head, _, body = content.replace(b"\r\n", b"\n").partition(b"\n\n")
    try:
        lines = [line for line in head.decode().split("\n") if line.strip() and not line.startswith(("#", "//"))]
    except UnicodeDecodeError:
        lines = []
    words = lines[0].split() if lines else []
    if not 2 <= len(words) <= 3 or not words[1].startswith("/"):
        raise BadRequest(f"{path} does not begin with a line like 'POST /path?query': write one, then header fields")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or " " in name.strip():
            raise BadRequest(f"{path} has the line {line!r}: a header field is written 'Name: value'")
        if name.strip().lower() not in CALLER_MAY_NOT:
            headers.append((name.strip(), value.strip()))
    return Sample(path.name, words[0].upper(), words[1], tuple(headers), body.removesuffix(b"\n"), None)
