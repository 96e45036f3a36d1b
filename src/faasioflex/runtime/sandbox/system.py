"""What of the host's system a sandbox shows: /usr and the links into it, and an /etc made for the purpose."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from faasioflex.runtime.egress.plan import HOSTNAME

INSIDE_UID = 1000
_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_WHOLE = ("/usr", "/nix/store", "/gnu/store")
_FROM_ETC = ("/etc/alternatives", "/etc/ssl/certs", "/etc/pki/tls", "/etc/pki/ca-trust", "/etc/ca-certificates")
_COPIED = ("ld.so.cache", "ld.so.conf", "localtime", "mime.types", "services", "protocols", "ssl/openssl.cnf")
_FILES = {
    "passwd": "root:x:0:0:root:/:/usr/sbin/nologin\n"
    f"ffx:x:{INSIDE_UID}:{INSIDE_UID}:function:/tmp:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": f"root:x:0:\nffx:x:{INSIDE_UID}:\nnogroup:x:65534:\n",
    "hosts": f"127.0.0.1 localhost {HOSTNAME}\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    # the egress relay answers there, where a sandbox has one; nobody else
    "resolv.conf": "nameserver 127.0.0.1\noptions timeout:3 attempts:2\n",
    "hostname": f"{HOSTNAME}\n",
    "os-release": "",
}


def arguments() -> list[str]:
    """bubblewrap's arguments for the read-only system folders, without /etc."""
    made: list[str] = []
    for folder in _WHOLE:
        if os.path.isdir(folder):
            made += ["--ro-bind", folder, folder]
    for name in _LINKS:
        path = f"/{name}"
        if os.path.islink(path):
            made += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            made += ["--ro-bind", path, path]
    return made


def etc_arguments() -> list[str]:
    """What is shown of the host's /etc as it is, over the folder that :func:`make_etc` makes."""
    made: list[str] = []
    for folder in _FROM_ETC:
        if os.path.isdir(folder):
            made += ["--ro-bind", folder, folder]
    return made


def is_system(path: Path) -> bool:
    """Whether ``path`` is inside what every sandbox shows anyway."""
    return any(path.is_relative_to(folder) for folder in _WHOLE)


def make_etc(folder: Path) -> Path:
    """Write the /etc of sandboxes to ``folder`` and return it: no accounts, no keys, nothing of this host but its zone.

    Every name that is mounted over exists in it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o755)
    for name, content in _FILES.items():
        _write(folder / name, content.encode())
    for name in _COPIED:
        _copy(Path("/etc") / name, folder / name)
    _copy(Path("/usr/lib/os-release"), folder / "os-release")
    for shown in _FROM_ETC:
        if os.path.isdir(shown):
            (folder / Path(shown).relative_to("/etc")).mkdir(parents=True, exist_ok=True)
    (folder / "mtab").symlink_to("/proc/mounts")
    for made, _, _ in os.walk(folder):
        os.chmod(made, 0o755)  # noqa: S103  (shown to other uids, read-only; the umask may have said otherwise)
    return folder


def _copy(source: Path, target: Path) -> None:
    try:
        content = source.read_bytes()
    except OSError:
        return  # not every distribution has each of them
    _write(target, content)


def _write(target: Path, content: bytes) -> None:
    """By rename, world-readable whatever the umask: a sandbox that starts right now sees the old or the new file, whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(target.name + ".new")
    fresh.write_bytes(content)
    fresh.chmod(0o644)
    fresh.replace(target)
