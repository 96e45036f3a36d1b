"""Which npm registry this machine is set to use: npm's files and environment, cut down to what fetching needs.

A function's own .npmrc is never read. What comes out may hold a token: it is shown to the fetch step only, where no package's
code runs. Pure but for reading the files.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TAKEN = frozenset(
    {
        *("registry", "cafile", "ca", "ca[]", "strict-ssl", "proxy", "https-proxy", "noproxy", "maxsockets", "before"),
        *("fetch-retries", "fetch-retry-factor", "fetch-retry-mintimeout", "fetch-retry-maxtimeout", "fetch-timeout"),
        *("replace-registry-host", "min-release-age"),
    }
)
_OF_A_REGISTRY = re.compile(r"(?:@[^:/]+:registry|//.+:(?:_authToken|_auth|username|_password))")
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_PASSED_ON = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    "NODE_TLS_REJECT_UNAUTHORIZED",
)
# As variables: what a step fetches through is decided outside it.
_PROXIES = {"https-proxy": "HTTPS_PROXY", "proxy": "HTTP_PROXY", "noproxy": "NO_PROXY"}
_CERTIFICATES = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")


@dataclass(frozen=True)
class NpmSettings:
    """``lines``: a user configuration for npm. ``cafile``: in place of node's roots; ``certificates``: beside them."""

    lines: tuple[str, ...]
    cafile: Path | None
    certificates: Path | None
    passed_on: Mapping[str, str]


def machine_settings(environ: Mapping[str, str], home: Path, global_files: tuple[Path, ...]) -> NpmSettings:
    """The environment over the user's file over the machine's; later ``global_files`` over earlier ones."""
    own = {name.lower(): value for name, value in environ.items() if name.lower().startswith("npm_config_")}
    chosen = own.get("npm_config_globalconfig")
    files = [*([Path(chosen)] if chosen else global_files), Path(own.get("npm_config_userconfig") or home / ".npmrc")]
    found: dict[str, list[str]] = {}
    for file in files:
        found |= _read(file, environ)
    for name, value in own.items():
        key = _key(name.removeprefix("npm_config_"))
        if value and _is_taken(key):
            found[key] = [value]
    cafile = found.pop("cafile", [""])[-1]
    proxies = {variable: found.pop(key)[-1] for key, variable in _PROXIES.items() if key in found}
    more = next((environ[name] for name in _CERTIFICATES if environ.get(name)), "")
    return NpmSettings(
        lines=tuple(f"{key} = {_quoted(value)}" for key, values in found.items() for value in values),
        cafile=Path(cafile) if cafile and Path(cafile).is_file() else None,
        certificates=Path(more) if more and Path(more).is_file() else None,
        passed_on={**{name: environ[name] for name in _PASSED_ON if environ.get(name)}, **proxies},
    )


def _read(file: Path, environ: Mapping[str, str]) -> dict[str, list[str]]:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return {}  # npm itself goes on without it
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        key, value = _filled(_bare(key.strip()), environ), _filled(_bare(value.strip()), environ)
        if not equals or line.lstrip().startswith((";", "#")) or not _is_taken(key):
            continue
        found[key] = [*found.get(key, []), value] if key.endswith("[]") else [value]
    return found


def _is_taken(key: str) -> bool:
    return key in _TAKEN or _OF_A_REGISTRY.fullmatch(key) is not None


def _key(variable: str) -> str:
    """``https_proxy`` -> ``https-proxy``; what begins with // stays, but for its last word, which lost its capitals."""
    if variable.startswith(("//", "@")):
        return re.sub(r":_authtoken$", ":_authToken", variable)
    return variable.replace("_", "-")


def _bare(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'" else text


def _filled(text: str, environ: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: environ.get(found[1].removesuffix("?"), ""), text)


def _quoted(text: str) -> str:
    """As a JSON text, which npm's ini reads; so that nothing in it begins a line of its own or is filled in again."""
    return json.dumps(text.replace("${", "$\\{") if "${" in text else text)


def global_files(root: Path) -> tuple[Path, ...]:
    """Where npm of the toolchain at ``root``, and that of the machine, have settings for all users."""
    return (Path("/etc/npmrc"), Path("/usr/etc/npmrc"), Path(os.path.normpath(root / "etc/npmrc")))
