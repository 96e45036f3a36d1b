"""Python packages made by hand: wheels and source archives of any content, well formed or hostile."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence

Special = tuple[str, bytes, str]  # name, tarfile type, link target


def wheel_name(name: str, version: str, tag: str = "py3-none-any") -> str:
    return f"{name.replace('-', '_')}-{version}-{tag}.whl"


def wheel(
    name: str,
    version: str = "1.0",
    files: Mapping[str, str | bytes] | None = None,
    *,
    requires: Sequence[str] = (),
    tag: str = "py3-none-any",
) -> bytes:
    """A wheel whose RECORD is right. ``files`` default to a module of the package's name with its version."""
    folder = f"{name.replace('-', '_')}-{version}.dist-info"
    module = name.replace("-", "_")
    content = {path: _bytes(text) for path, text in (files or {f"{module}.py": f"VERSION = {version!r}\n"}).items()}
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    content[f"{folder}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}".encode()
    content[f"{folder}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    record = "".join(f"{path},{_record_hash(data)},{len(data)}\n" for path, data in content.items())
    content[f"{folder}/RECORD"] = f"{record}{folder}/RECORD,,\n".encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for path, data in content.items():
            made.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), data)
    return out.getvalue()


def sdist(
    name: str,
    version: str = "1.0",
    files: Mapping[str, str | bytes] | None = None,
    specials: Sequence[Special] = (),
) -> bytes:
    """A tar.gz with PKG-INFO and these files below ``name-version/``; ``specials`` keep their names as they are."""
    out = io.BytesIO()
    top = f"{name}-{version}"
    content = {"PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", **(files or {})}
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, text in content.items():
            info = tarfile.TarInfo(f"{top}/{path}")
            info.size = len(_bytes(text))
            tar.addfile(info, io.BytesIO(_bytes(text)))
        for special_name, kind, target in specials:
            info = tarfile.TarInfo(special_name)
            info.type, info.linkname = kind, target
            tar.addfile(info)
    return gzip.compress(out.getvalue(), mtime=0)


BACKEND = '''
import base64, hashlib, os, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    """The in-tree backend of the tests' source archives: a wheel of the folder `contents`."""
    lines = dict(line.split(": ", 1) for line in open("PKG-INFO").read().splitlines())
    name, version = lines["Name"], lines["Version"]
    stem = name.replace("-", "_") + "-" + version
    wheel = stem + "-py3-none-any.whl"
    files = {path: open("contents/" + path, "rb").read() for path in sorted(os.listdir("contents"))}
    info = stem + ".dist-info/"
    files[info + "METADATA"] = open("PKG-INFO", "rb").read()
    files[info + "WHEEL"] = b"Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    def record(data):
        return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    text = "".join(f"{path},{record(data)},{len(data)}\\n" for path, data in files.items())
    files[info + "RECORD"] = (text + info + "RECORD,,\\n").encode()
    with zipfile.ZipFile(os.path.join(folder, wheel), "w") as made:
        for path, data in files.items():
            made.writestr(path, data)
    return wheel
'''


def source_package(
    name: str,
    version: str = "1.0",
    *,
    before_build: str = "",
    at_import: str = "",
    hook: str = "",
    requires: Sequence[str] = (),
    contents: Mapping[str, str] | None = None,
    specials: Sequence[Special] = (),
) -> bytes:
    """A source archive with a build backend of its own in the tree, so that building it needs nothing from outside.

    ``before_build`` runs in ``build_wheel``, ``at_import`` when the backend is imported; ``hook`` is the body of
    ``get_requires_for_build_wheel``.
    """
    backend = at_import + "\n" + BACKEND
    if before_build:
        indented = "\n".join("    " + line for line in before_build.splitlines())
        backend += f"\n_build = build_wheel\ndef build_wheel(folder, *rest):\n{indented}\n    return _build(folder)\n"
    if hook:
        backend += "\ndef get_requires_for_build_wheel(config_settings=None):\n" + "\n".join(
            "    " + line for line in hook.splitlines()
        )
    listed = ", ".join(f'"{one}"' for one in requires)
    module = name.replace("-", "_")
    return sdist(
        name,
        version,
        {
            "pyproject.toml": (
                f'[build-system]\nrequires = [{listed}]\nbuild-backend = "own_backend"\nbackend-path = ["build_here"]\n'
            ),
            "build_here/own_backend.py": backend,
            **{
                f"contents/{path}": text
                for path, text in (contents or {f"{module}.py": f"VERSION = {version!r}\nBUILT = True\n"}).items()
            },
        },
        specials,
    )


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _record_hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
