"""In the fetch sandbox: download one package's newest fitting source archive, checked by its hash. Runs none of it.

usage: fetch_source.py PACKAGING REQUEST TARGET — PACKAGING is the folder of the library ``packaging``; REQUEST a JSON object
{"name", "specifier", "ranges": one of these has to hold too, "hashes": one of these where there are any}. The registries come
as uv's environment variables. Standard library otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import os
import ssl
import sys
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

sys.path.append(os.path.dirname(sys.argv[1]))
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import Version

DEFAULT_INDEX = "https://pypi.org/simple"
LARGEST_PAGE = 64 * 1024 * 1024
LARGEST_ARCHIVE = 200 * 1024 * 1024
logins: dict[str, str] = {}  # host:port -> Authorization, out of the registries' URLs


@dataclass(frozen=True)
class File:
    """``sha256`` is what the registry says, if it does."""

    name: str
    url: str
    sha256: str | None
    requires_python: str | None
    yanked: bool


class Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))


def without_login(url: str) -> str:
    """Remembers the user and password of a URL for its host."""
    parts = urllib.parse.urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    if at:
        logins[host] = "Basic " + base64.b64encode(urllib.parse.unquote(login).encode()).decode()
    return parts._replace(netloc=host).geturl()


def read(url: str, most: int) -> tuple[bytes, str, str]:
    """Content, its type, and where it was in the end."""
    url = without_login(url)
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https"):
        sys.exit(f"{url} is not a web address")
    kind = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
    request = urllib.request.Request(url, headers={"Accept": kind})  # noqa: S310 - checked above
    if parts.netloc in logins:
        request.add_unredirected_header("Authorization", logins[parts.netloc])
    context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or None)
    if {parts.netloc, parts.hostname} & set(os.environ.get("UV_INSECURE_HOST", "").split()):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(request, timeout=60, context=context) as answer:  # noqa: S310
        data = answer.read(most + 1)
        if len(data) > most:
            sys.exit(f"{url} is larger than {most // 1024 // 1024} MiB")
        return data, answer.headers.get("Content-Type", ""), answer.url


def listed(page: str) -> Iterator[File]:
    """The files of a page: PEP 691 JSON, PEP 503 HTML or any list of links."""
    data, kind, url = read(page, LARGEST_PAGE)
    if "json" in kind:
        for file in json.loads(data)["files"]:
            where = urllib.parse.urljoin(url, file["url"])
            hashed = (file.get("hashes") or {}).get("sha256")
            yield File(file["filename"], where, hashed, file.get("requires-python"), bool(file.get("yanked")))
        return
    links = Links()
    links.feed(data.decode("utf-8", "replace"))
    for link in links.found:
        where, _, fragment = urllib.parse.urljoin(url, link.get("href") or "").partition("#")
        name = urllib.parse.unquote(urllib.parse.urlsplit(where).path.rsplit("/", 1)[-1])
        hashed = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None
        yield File(name, where, hashed, link.get("data-requires-python"), "data-yanked" in link)


def offered(name: str) -> Iterator[File]:
    """Of the first registry that has the project (uv's rule against mix-ups), and of all folders and pages of links."""
    for place in filter(None, os.environ.get("UV_FIND_LINKS", "").split(",")):
        if "://" in place:
            yield from listed(place)
        else:
            yield from (File(file, os.path.join(place, file), None, None, False) for file in os.listdir(place))
    if os.environ.get("UV_NO_INDEX"):
        return
    for index in [*os.environ.get("UV_INDEX", "").split(), os.environ.get("UV_DEFAULT_INDEX") or DEFAULT_INDEX]:
        try:
            found = list(listed(f"{index.rstrip('/')}/{name}/"))
        except urllib.error.HTTPError as error:
            if error.code != 404:
                sys.exit(f"{urllib.parse.urlsplit(index).hostname} answers {error.code} {error.reason} for {name}")
            continue
        yield from found
        if not os.environ.get("UV_INDEX_STRATEGY", "").startswith("unsafe"):
            return


def version(file: File, name: str) -> Version | None:
    """None where it is no source archive of that package, or not for this Python."""
    try:
        found, number = parse_sdist_filename(file.name)
        python = SpecifierSet(file.requires_python or "")
    except (InvalidSdistFilename, InvalidSpecifier):
        return None
    here = ".".join(str(part) for part in sys.version_info[:3])
    fits = found == name and file.name.endswith(".tar.gz") and python.contains(here, prereleases=True)
    return number if fits else None


def choose(name: str, specifier: SpecifierSet, ranges: list[SpecifierSet]) -> File | None:
    """The newest that fits; one that was withdrawn only where exactly that is asked for."""
    pinned = any(one.operator in ("==", "===") for one in specifier)
    found: dict[Version, File] = {}
    for file in offered(name):
        number = version(file, name)
        in_range = number is not None and any(one.contains(number, prereleases=True) for one in ranges)
        if number is not None and in_range and (pinned or not file.yanked):
            found.setdefault(number, file)
    fitting = list(specifier.filter(found))
    return found[max(fitting)] if fitting else None


def content(file: File, hashes: list[str]) -> bytes:
    """Checked against what the function wants, and what the registry says."""
    if "://" in file.url:
        data, _, _ = read(file.url, LARGEST_ARCHIVE)
    else:
        with open(file.url, "rb") as local:
            data = local.read()
    if file.sha256 is not None and hashlib.sha256(data).hexdigest() != file.sha256:
        sys.exit(f"{file.name} is not what the registry says: its sha256 differs")
    computed = [f"{kind}:{hashlib.new(kind, data).hexdigest()}" for kind in ("sha256", "sha384", "sha512")]
    if hashes and not set(hashes) & set(computed):
        sys.exit(f"Hash mismatch for {file.name}: none of the hashes that are asked for is {computed[0]}")
    return data


def unpack(data: bytes, target: str) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with tarfile.open(file.name) as archive:
            for member in archive:
                parts = member.name.split("/")
                if not (member.isfile() or member.isdir()) or member.name.startswith("/") or ".." in parts:
                    continue  # links and devices are not needed to build
                member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
                member.uid, member.gid = os.getuid(), os.getgid()
                member.uname = member.gname = ""
                archive.extract(member, target)


def main() -> None:
    request, target = json.loads(sys.argv[2]), sys.argv[3]
    name = canonicalize_name(request["name"])
    specifier, ranges = SpecifierSet(request["specifier"]), [SpecifierSet(one) for one in request["ranges"]]
    file = choose(name, specifier, ranges)
    if file is None:
        wanted = f"{name} {specifier}".strip()
        sys.exit(f"{wanted}: there is neither a wheel for this machine nor a source archive (.tar.gz) for this Python")
    print(f"{file.name} from {urllib.parse.urlsplit(file.url).hostname or 'a folder of this machine'}")
    unpack(content(file, request["hashes"]), target)


main()
