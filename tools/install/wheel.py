"""uv's wheel without pip: found at the index, checked against the hash in uv.lock, unpacked. Standard library only."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import io
import netrc
import platform
import re
import ssl
import urllib.parse
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from registries import Registries

TIMEOUT_S = 120


class InstallError(Exception):
    """A sentence for people: what is wrong and what to do."""


@dataclass(frozen=True)
class Wheel:
    file: str
    sha256: str


def choose(wheels: list[Wheel]) -> Wheel:
    """The one for this machine. Raises InstallError."""
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    if platform.system() == "Darwin":
        kind, machine = "macosx", {"aarch64": "arm64"}.get(machine, machine)
    else:
        kind = "manylinux" if platform.libc_ver()[0] == "glibc" else "musllinux"
    for wheel in wheels:
        if kind in wheel.file and wheel.file.endswith(f"_{machine}.whl"):
            return wheel
    raise InstallError(f"There is no wheel of uv for {kind} on {machine}: install uv by hand so that it is in PATH.")


def fetch(wheel: Wheel, registries: Registries) -> bytes:
    """The wheel's content, checked. Raises InstallError."""
    for link in registries.find_links:
        local = Path(link) / wheel.file
        if local.is_file():
            return _checked(local.read_bytes(), wheel)
    page = f"{registries.index}/uv/"
    try:
        base, text = _get(page, registries)
        links = _Links()
        links.feed(text.decode(errors="replace"))
        for href in links.found:
            address = urllib.parse.urljoin(base, href)
            if urllib.parse.unquote(urllib.parse.urlsplit(address).path).endswith("/" + wheel.file):
                return _checked(_get(_with_credentials(address, page), registries)[1], wheel)
    except OSError as error:
        raise InstallError(
            f"{_without_credentials(page)} cannot be read: {error}. If packages come from another index here, name it with "
            "PIP_INDEX_URL or in pip.conf; a proxy with HTTPS_PROXY; a certificate authority with SSL_CERT_FILE."
        ) from error
    raise InstallError(f"{_without_credentials(page)} has no {wheel.file}, which uv.lock asks for.")


def unpack(content: bytes, target: Path) -> None:
    """Write the program ``uv`` out of the wheel to ``target``, executable, by rename."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        name = next((n for n in archive.namelist() if re.fullmatch(r"uv-[^/]+\.data/scripts/uv", n)), None)
        if name is None:
            raise InstallError("The wheel of uv has no program uv in it.")
        beside = target.with_suffix(".new")
        beside.write_bytes(archive.read(name))
    beside.chmod(0o755)
    beside.replace(target)


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _get(address: str, registries: Registries) -> tuple[str, bytes]:
    """Where it was found in the end, and its content."""
    parts = urllib.parse.urlsplit(address)
    if parts.scheme not in {"http", "https"}:
        raise InstallError(f"The index {_without_credentials(address)} is neither http nor https.")
    plain = _without_credentials(address)
    request = urllib.request.Request(  # noqa: S310 - http or https, checked above
        plain, headers={"Accept": "application/vnd.pypi.simple.v1+html, text/html;q=0.5, */*;q=0.1"}
    )
    user, password = parts.username, parts.password
    if user is None and (known := _netrc(parts.hostname or "")):
        user, password = known
    if user is not None:
        pair = f"{urllib.parse.unquote(user)}:{urllib.parse.unquote(password or '')}"
        request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=registries.cert))
    ]
    if registries.proxy:
        handlers.append(urllib.request.ProxyHandler({"http": registries.proxy, "https": registries.proxy}))
    with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT_S) as answer:
        return answer.url, answer.read()


def _netrc(host: str) -> tuple[str, str] | None:
    try:
        known = netrc.netrc().authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None
    return (known[0], known[2] or "") if known else None


def _with_credentials(address: str, page: str) -> str:
    """An index's credentials hold for its files on the same host."""
    here, there = urllib.parse.urlsplit(address), urllib.parse.urlsplit(page)
    if there.username is None or (here.scheme, here.hostname, here.port) != (there.scheme, there.hostname, there.port):
        return address
    return here._replace(netloc=there.netloc).geturl()


def _without_credentials(address: str) -> str:
    parts = urllib.parse.urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _checked(content: bytes, wheel: Wheel) -> bytes:
    if hashlib.sha256(content).hexdigest() != wheel.sha256:
        raise InstallError(f"{wheel.file} is not the file that uv.lock names: its sha256 differs.")
    return content
