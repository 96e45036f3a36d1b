"""From where this machine is set to get Go modules, as Go itself says (environment and ``go env -w``)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from faasioflex.runtime.toolchain import Toolchain

_ASKED = (
    *("GOPROXY", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GONOSUMCHECK", "GOPRIVATE", "GOINSECURE", "GOAUTH", "GOFLAGS"),
    *("GOFIPS140",),
)
_PASSED_ON = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_OF_A_FETCH = ("-x", "-v", "-insecure")
_ANSWERS_WITHIN_S = 20.0


@dataclass(frozen=True)
class GoSettings:
    """``netrc``: a file with logins of proxies, ``certificates``: of further authorities; None where there is none."""

    environment: Mapping[str, str]
    netrc: Path | None
    certificates: Path | None


def machine_settings(toolchain: Toolchain, environ: Mapping[str, str], home: Path) -> GoSettings:
    """Starts the go command, which takes some milliseconds: call it in a thread. Raises: OSError."""
    done = subprocess.run(
        [toolchain.root / "bin/go", "env", "-json", *_ASKED],
        env={**environ, "GOTOOLCHAIN": "local", "GOWORK": "off"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=_ANSWERS_WITHIN_S,
    )
    said = json.loads(done.stdout) if done.returncode == 0 else {}
    netrc = Path(environ.get("NETRC") or home / ".netrc")
    more = environ.get("SSL_CERT_FILE", "")
    return GoSettings(
        environment={**for_fetching(said), **{name: environ[name] for name in _PASSED_ON if environ.get(name)}},
        netrc=netrc if said.get("GOAUTH", "netrc") == "netrc" and netrc.is_file() else None,
        certificates=Path(more) if more and Path(more).is_file() else None,
    )


def for_fetching(said: Mapping[str, str]) -> dict[str, str]:
    """Modules come from proxies only: no version control program is started, and no command for logins."""
    found = {name: said[name] for name in _ASKED if said.get(name) and name not in {"GOAUTH", "GOFLAGS", "GOPROXY"}}
    flags = [flag for flag in said.get("GOFLAGS", "").split() if flag in _OF_A_FETCH]
    return {
        **found,
        "GOPROXY": without_direct(said.get("GOPROXY", "")),
        "GOFLAGS": " ".join(["-modcacherw", *flags]),
        "GOVCS": "*:off",
        "GOAUTH": "netrc" if said.get("GOAUTH", "netrc") == "netrc" else "off",
    }


def without_direct(proxies: str) -> str:
    """``direct`` means version control at whatever host a module names: left out, unless nothing else is there."""
    kept: list[str] = []
    separator = ""
    for word, after in _split(proxies or "https://proxy.golang.org,direct"):
        if word != "direct":
            kept += [separator if kept else "", word]
            separator = after
    return "".join(kept) or "direct"  # refused in Go's words: GOVCS is off


def _split(text: str) -> list[tuple[str, str]]:
    """Words with the separator behind each: a comma goes on at 404 and 410 only, a bar at any error."""
    found: list[tuple[str, str]] = []
    word = ""
    for character in text + "\n":
        if character in ",|\n":
            if word.strip():
                found.append((word.strip(), character))
            word = ""
        else:
            word += character
    return found
