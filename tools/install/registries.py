"""Which package index, certificates and proxy this machine is set up for: what pip and uv are told, for pip, uv and ourselves.

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import configparser
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PYPI = "https://pypi.org/simple"


@dataclass(frozen=True)
class Registries:
    """``index`` without a trailing slash, perhaps with credentials; ``cert``: a CA bundle, None for the system's."""

    index: str
    find_links: tuple[str, ...]
    cert: str | None
    proxy: str | None
    uv_environment: dict[str, str]  # for uv, which does not read pip's settings


def read(environment: Mapping[str, str], home: Path) -> Registries:
    """uv's own settings win where there are any, then pip's environment, then pip's files."""
    pip = _pip_files(environment, home)
    for name, value in environment.items():
        if name.startswith("PIP_") and value:
            pip[name[4:].lower().replace("_", "-")] = value
    uv_index = (
        environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL") or _uv_file_index(environment, home)
    )
    cert = (
        environment.get("SSL_CERT_FILE")
        or pip.get("cert")
        or environment.get("REQUESTS_CA_BUNDLE")
        or environment.get("CURL_CA_BUNDLE")
    )
    links = tuple(link for link in pip.get("find-links", "").split() if "://" in link or Path(link).is_dir())
    mapped: dict[str, str] = {}
    if not uv_index and pip.get("index-url"):
        mapped["UV_DEFAULT_INDEX"] = pip["index-url"]
    if pip.get("extra-index-url") and not (environment.get("UV_INDEX") or environment.get("UV_EXTRA_INDEX_URL")):
        mapped["UV_INDEX"] = " ".join(pip["extra-index-url"].split())
        mapped["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip's way; every file is pinned by its hash
    if links:
        mapped["UV_FIND_LINKS"] = ",".join(links)
    if pip.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        mapped["UV_NO_INDEX"] = "1"
    if pip.get("trusted-host"):
        mapped["UV_INSECURE_HOST"] = " ".join(pip["trusted-host"].split())
    if cert:
        mapped["SSL_CERT_FILE"] = cert
    if pip.get("proxy"):
        mapped |= {"HTTPS_PROXY": pip["proxy"], "HTTP_PROXY": pip["proxy"], "ALL_PROXY": pip["proxy"]}
    return Registries(
        index=(uv_index or pip.get("index-url") or PYPI).rstrip("/"),
        find_links=links,
        cert=cert,
        proxy=pip.get("proxy"),
        uv_environment={name: value for name, value in mapped.items() if not environment.get(name)},
    )


def _pip_files(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """What pip's configuration files say, later ones over earlier ones, ``[install]`` over ``[global]``."""
    chosen = environment.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return {}
    config_home = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    files = [
        *(
            Path(folder) / "pip/pip.conf"
            for folder in environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")
            if folder
        ),
        Path("/etc/pip.conf"),
        home / ".pip/pip.conf",
        config_home / "pip/pip.conf",
    ]
    found: dict[str, str] = {}
    for file in [*files, *([Path(chosen)] if chosen else [])]:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip itself will say what is wrong with it, where there is a pip
        for section in ("global", "install"):
            if parser.has_section(section):
                found |= {name.replace("_", "-"): value for name, value in parser.items(section)}
    return found


def _uv_file_index(environment: Mapping[str, str], home: Path) -> str | None:
    config_home = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    chosen = environment.get("UV_CONFIG_FILE")
    for file in [Path(chosen)] if chosen else [config_home / "uv/uv.toml", Path("/etc/uv/uv.toml")]:
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        for index in content.get("index", []):
            if index.get("default"):
                return str(index["url"])
        simple = content.get("index-url") or content.get("pip", {}).get("index-url")
        if simple:
            return str(simple)
    return None
