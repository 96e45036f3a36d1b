"""Which package registries this machine is set to use, said in uv's environment variables. Pure but for reading the files.

pip's and uv's own settings are honoured (environment first, then uv's files, then pip's), because a function's packages
should come from where the machine's other packages come from; a function itself cannot name another place.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

PASSED_ON = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_HTTP_TIMEOUT", "UV_INSECURE_HOST", "UV_INDEX_STRATEGY", "UV_NO_INDEX",
)  # fmt: skip
_YES = {"1", "true", "yes", "on"}


@dataclass(frozen=True)
class Registries:
    """``default`` None is PyPI. ``certificates``: a PEM file to trust instead of the built-in roots.

    ``links`` are pages, ``folders`` folders of this machine, of packages beside the registries.
    """

    default: str | None = None
    extra: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    certificates: Path | None = None
    insecure_hosts: tuple[str, ...] = ()
    passed_on: dict[str, str] = field(default_factory=dict)

    def environment(self, certificates_inside: str, folder_inside: str) -> dict[str, str]:
        """For uv in the fetch sandbox, where the certificates' file and the folders (numbered below one) are shown."""
        return self._environment(certificates_inside, [f"{folder_inside}/{n}" for n in range(len(self.folders))])

    def environment_here(self) -> dict[str, str]:
        """For uv as a process of the platform's user."""
        return self._environment(str(self.certificates), [str(folder) for folder in self.folders])

    def _environment(self, certificates: str, folders: list[str]) -> dict[str, str]:
        made = dict(self.passed_on)
        if self.default:
            made["UV_DEFAULT_INDEX"] = self.default
        if self.extra:
            made["UV_INDEX"] = " ".join(self.extra)
        if places := [*self.links, *folders]:
            made["UV_FIND_LINKS"] = ",".join(places)
        if self.insecure_hosts and "UV_INSECURE_HOST" not in made:
            made["UV_INSECURE_HOST"] = " ".join(self.insecure_hosts)
        if self.certificates is not None:
            made["SSL_CERT_FILE"] = certificates
        return made


@dataclass
class _UvFiles:
    default: str | None = None
    extra: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


def machine_registries(environ: Mapping[str, str], home: Path, etc: Path = Path("/etc")) -> Registries:
    """What the environment and the settings files of pip and uv say."""
    pip = _pip_settings(environ, home, etc)
    uv = _uv_settings(environ, home, etc)
    default = _first(
        environ.get("UV_DEFAULT_INDEX"), environ.get("UV_INDEX_URL"), uv.default, pip.get("index-url")
    )  # fmt: skip
    extra = [environ.get("UV_INDEX"), environ.get("UV_EXTRA_INDEX_URL"), *uv.extra, pip.get("extra-index-url")]
    named = _words((environ.get("UV_FIND_LINKS") or "").replace(",", " "), *uv.links, pip.get("find-links"))
    places = [one.removeprefix("file://") for one in named]
    folders = [Path(one).expanduser() for one in places if "://" not in one]
    certificates = _first(environ.get("SSL_CERT_FILE"), pip.get("cert"), environ.get("REQUESTS_CA_BUNDLE"))
    passed_on = {name: environ[name] for name in PASSED_ON if environ.get(name)}
    if pip.get("no-index", "").lower() in _YES:
        passed_on.setdefault("UV_NO_INDEX", "1")
    if pip.get("proxy"):
        passed_on = {"HTTPS_PROXY": pip["proxy"], "HTTP_PROXY": pip["proxy"]} | passed_on
    return Registries(
        default=_with_login(default, environ) if default else None,
        extra=tuple(dict.fromkeys(_with_login(one, environ) for one in _words(*extra))),
        links=tuple(one for one in places if "://" in one),
        folders=tuple(folder.resolve() for folder in folders if folder.is_dir()),
        certificates=Path(certificates) if certificates and Path(certificates).is_file() else None,
        insecure_hosts=tuple(pip.get("trusted-host", "").split()),
        passed_on=passed_on,
    )


def _pip_settings(environ: Mapping[str, str], home: Path, etc: Path) -> dict[str, str]:
    """``[global]`` and ``[install]`` of pip's files, the user's over the machine's, and its environment over all."""
    chosen = environ.get("PIP_CONFIG_FILE")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [
        etc / "xdg/pip/pip.conf", etc / "pip.conf", home / ".pip/pip.conf", config / "pip/pip.conf",
        Path(sys.prefix) / "pip.conf",
    ]  # fmt: skip
    found: dict[str, str] = {}
    for file in [] if chosen == os.devnull else [*files, *([Path(chosen)] if chosen else [])]:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue  # pip itself would refuse it; the default registry stands
        for section in ("global", "install"):
            if parser.has_section(section):
                found |= {name.replace("_", "-"): value for name, value in parser.items(section)}
    mine = {name[4:].lower().replace("_", "-"): value for name, value in environ.items() if name.startswith("PIP_")}
    return found | {name: value for name, value in mine.items() if value}


def _uv_settings(environ: Mapping[str, str], home: Path, etc: Path) -> _UvFiles:
    """uv's files, the user's before the machine's: its first default counts."""
    chosen = environ.get("UV_CONFIG_FILE")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path(chosen)] if chosen else [config / "uv/uv.toml", etc / "xdg/uv/uv.toml", etc / "uv/uv.toml"]
    found = _UvFiles()
    for file in [] if environ.get("UV_NO_CONFIG") else files:
        try:
            content = tomllib.loads(file.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
            continue
        for index in content.get("index") or []:
            named = f"{index['name']}={index['url']}" if index.get("name") else str(index.get("url", ""))
            if index.get("format") == "flat":
                found.links.append(str(index["url"]))
            elif index.get("default"):
                found.default = found.default or named
            elif not index.get("explicit"):
                found.extra.append(named)
        for table in (content, content.get("pip") or {}):
            found.default = found.default or table.get("index-url")
            found.extra += table.get("extra-index-url") or []
            found.links += table.get("find-links") or []
    return found


def _first(*values: str | None) -> str | None:
    return next((value.strip() for value in values if value and value.strip()), None)


def _words(*values: str | None) -> Iterable[str]:
    return (word for value in values if value for word in value.split())


def _with_login(index: str, environ: Mapping[str, str]) -> str:
    """uv allows ``name=https://…``, with user and password in variables of that name: both go into the URL."""
    name, equals, url = index.partition("=")
    if not equals or "://" in name:
        return index
    variable = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
    user, password = environ.get(f"{variable}_USERNAME", ""), environ.get(f"{variable}_PASSWORD", "")
    parts = urlsplit(url)
    if not (user or password) or "@" in parts.netloc:
        return url
    return parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc}").geturl()
