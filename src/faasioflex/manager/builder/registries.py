"""Which package registries this machine is set to use, said in uv's environment variables. Pure but for reading the files.

pip's and uv's own settings are honoured (environment first, then uv's files, then pip's), because a function's packages
should come from where the machine's other packages come from; a function itself cannot name another place.
"""

from __future__ import annotations

import configparser
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PASSED_ON = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_HTTP_TIMEOUT", "UV_INSECURE_HOST", "UV_KEYRING_PROVIDER",
)  # fmt: skip


@dataclass(frozen=True)
class Registries:
    """``default`` None is PyPI. ``certificates``: a PEM file to trust instead of the built-in roots."""

    default: str | None = None
    extra: tuple[str, ...] = ()
    certificates: Path | None = None
    insecure_hosts: tuple[str, ...] = ()
    passed_on: dict[str, str] = field(default_factory=dict)

    def environment(self, certificates_inside: str) -> dict[str, str]:
        """For uv in the fetch sandbox; the certificates' file is shown there at ``certificates_inside``."""
        made = dict(self.passed_on)
        if self.default:
            made["UV_DEFAULT_INDEX"] = self.default
        if self.extra:
            made["UV_INDEX"] = " ".join(self.extra)
        if self.insecure_hosts and "UV_INSECURE_HOST" not in made:
            made["UV_INSECURE_HOST"] = " ".join(self.insecure_hosts)
        if self.certificates is not None:
            made["SSL_CERT_FILE"] = certificates_inside
        return made


def machine_registries(environ: Mapping[str, str], home: Path, etc: Path = Path("/etc")) -> Registries:
    """What the environment and the settings files of pip and uv say."""
    pip = _pip_settings(environ, home, etc)
    uv_default, uv_extra = _uv_settings(environ, home, etc)
    default = _first(
        environ.get("UV_DEFAULT_INDEX"),
        environ.get("UV_INDEX_URL"),
        uv_default,
        environ.get("PIP_INDEX_URL"),
        pip.get("index-url"),
    )
    extra = _urls(
        environ.get("UV_INDEX"),
        environ.get("UV_EXTRA_INDEX_URL"),
        " ".join(uv_extra),
        environ.get("PIP_EXTRA_INDEX_URL"),
        pip.get("extra-index-url"),
    )
    certificates = _first(environ.get("SSL_CERT_FILE"), environ.get("PIP_CERT"), pip.get("cert"))
    return Registries(
        default=_strip_name(default) if default else None,
        extra=extra,
        certificates=Path(certificates) if certificates and Path(certificates).is_file() else None,
        insecure_hosts=tuple((environ.get("PIP_TRUSTED_HOST") or pip.get("trusted-host") or "").split()),
        passed_on={name: environ[name] for name in PASSED_ON if name in environ},
    )


def _pip_settings(environ: Mapping[str, str], home: Path, etc: Path) -> dict[str, str]:
    """``[global]`` and ``[install]`` of pip's files, the user's over the machine's."""
    files = [etc / "pip.conf", home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    if environ.get("PIP_CONFIG_FILE"):
        files.append(Path(environ["PIP_CONFIG_FILE"]))
    found: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue  # pip itself would refuse it; the default registry stands
        for section in ("global", "install"):
            if parser.has_section(section):
                found.update(parser.items(section))
    return found


def _uv_settings(environ: Mapping[str, str], home: Path, etc: Path) -> tuple[str | None, list[str]]:
    default: str | None = None
    extra: list[str] = []
    files = [etc / "uv/uv.toml", home / ".config/uv/uv.toml"]
    if environ.get("UV_CONFIG_FILE"):
        files.append(Path(environ["UV_CONFIG_FILE"]))
    for file in files:
        try:
            content = tomllib.loads(file.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
            continue
        default = content.get("index-url") or default
        extra.extend(content.get("extra-index-url") or [])
        for index in content.get("index") or []:
            if index.get("default"):
                default = index.get("url") or default
            elif index.get("url"):
                extra.append(index["url"])
    return default, extra


def _first(*values: str | None) -> str | None:
    return next((value.strip() for value in values if value and value.strip()), None)


def _urls(*values: str | None) -> tuple[str, ...]:
    words: Iterable[str] = (word for value in values if value for word in value.split())
    return tuple(dict.fromkeys(_strip_name(word) for word in words))


def _strip_name(index: str) -> str:
    """uv allows ``name=https://…``."""
    name, equals, url = index.partition("=")
    return url if equals and "://" not in name else index
