"""In the fetch sandbox: download one package's newest fitting source archive, checked by its hash. Runs none of it.

usage: fetch_source.py NAME SPECIFIER TARGET — the registries come as UV_DEFAULT_INDEX and UV_INDEX. Standard library only.
"""

from __future__ import annotations

import hashlib
import html.parser
import json
import os
import re
import ssl
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

DEFAULT_INDEX = "https://pypi.org/simple"
LARGEST_BYTES = 200 * 1024 * 1024


class Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs).get("href") or "")


def read(url: str, most: int) -> tuple[bytes, str, str]:
    kind = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
    request = urllib.request.Request(url, headers={"Accept": kind})  # noqa: S310 - checked below
    context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or None)
    with urllib.request.urlopen(request, timeout=60, context=context) as answer:  # noqa: S310
        data = answer.read(most + 1)
        if len(data) > most:
            sys.exit(f"{url} is larger than {most} bytes")
        return data, answer.headers.get("Content-Type", ""), answer.url


def files(index: str, name: str) -> Iterator[tuple[str, str, str | None]]:
    """(file name, URL, sha256 or None) of a project in one registry, by PEP 691 JSON or PEP 503 HTML."""
    try:
        data, kind, url = read(f"{index.rstrip('/')}/{name}/", 64 * 1024 * 1024)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return
        raise
    if "json" in kind:
        for file in json.loads(data)["files"]:
            if not file.get("yanked"):
                yield file["filename"], urllib.parse.urljoin(url, file["url"]), file.get("hashes", {}).get("sha256")
        return
    links = Links()
    links.feed(data.decode("utf-8", "replace"))
    for link in links.found:
        where = urllib.parse.urljoin(url, link)
        parts = urllib.parse.urlsplit(where)
        hashed = re.fullmatch(r"sha256=([0-9a-f]{64})", parts.fragment)
        yield urllib.parse.unquote(parts.path.rsplit("/", 1)[-1]), where, hashed.group(1) if hashed else None


def version(filename: str, name: str) -> str | None:
    """The version in ``name-1.2.tar.gz``, None where it is something else."""
    stem = filename.removesuffix(".tar.gz")
    if stem == filename:
        return None
    prefix, _, tail = stem.rpartition("-")
    return tail if re.sub(r"[-_.]+", "-", prefix).lower() == name else None


def sort_key(text: str) -> tuple[bool, tuple[int, ...], str]:
    """Releases by their numbers, pre-releases before any release: enough to take the newest."""
    release = re.match(r"(\d+!)?(\d+(?:\.\d+)*)", text)
    numbers = tuple(int(part) for part in release.group(2).split(".")) if release else ()
    return (re.search(r"(a|b|rc|dev)\d*", text) is None, numbers, text)


def fits(text: str, specifier: str) -> bool:
    """``==`` exactly; other specifiers are uv's to judge when it installs what was built."""
    wanted = [part.strip() for part in specifier.split(",") if part.strip().startswith("==")]
    return all(text == part.lstrip("=").strip() for part in wanted)


def main() -> None:
    name, specifier, target = sys.argv[1:]
    name = re.sub(r"[-_.]+", "-", name).lower()
    indexes = [*os.environ.get("UV_INDEX", "").split(), os.environ.get("UV_DEFAULT_INDEX") or DEFAULT_INDEX]
    for index in indexes:
        found = [
            (number, *file)
            for file in files(index, name)
            if (number := version(file[0], name)) is not None and fits(number, specifier)
        ]
        if found:
            break
    else:
        sys.exit(f"no registry has a source archive (.tar.gz) of {name}{specifier}")
    _, filename, url, digest = max(found, key=lambda one: sort_key(one[0]))
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        sys.exit(f"{url} is not a web address")
    print(f"{filename} from {urllib.parse.urlsplit(url).hostname}")
    data, _, _ = read(url, LARGEST_BYTES)
    if digest is not None and hashlib.sha256(data).hexdigest() != digest:
        sys.exit(f"{filename} is not what the registry says: its sha256 differs")
    path = os.path.join("/tmp", "source.tar.gz")  # noqa: S108 - the sandbox's private tmpfs
    with open(path, "wb") as out:
        out.write(data)
    with tarfile.open(path) as archive:
        for member in archive:
            parts = member.name.split("/")
            if not (member.isfile() or member.isdir()) or member.name.startswith("/") or ".." in parts:
                continue  # links and devices are not needed to build
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            archive.extract(member, target)


main()
