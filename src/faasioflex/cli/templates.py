"""The folders ``runtimes/<language>/template``: what ``ffx new`` makes a function from."""

from __future__ import annotations

import os
from pathlib import Path

from faasioflex.model.errors import NotSupportedYet
from faasioflex.runtime.language import KNOWN, language_folders

SUFFIX = ".tmpl"  # of a file with placeholders; it also keeps a template's own tests from being taken for ours
PLACE_OF_NAME = "{{name}}"
PLACE_OF_RUNTIME = "{{runtime_folder}}"  # the language's own folder here, for tools that look for its library


def templates(folder: Path | None = None) -> tuple[str, ...]:
    """Names of the languages that are installed and have one, sorted."""
    return tuple(sorted(name for name, own in language_folders(folder).items() if any((own / "template").glob("*"))))


def write_template(language: str, folder: Path, name: str, *, root: Path | None = None) -> list[str]:
    """Write the function ``name`` into ``folder``, which is made where it is not there; the paths of its files, sorted.

    A file that ends in ``.tmpl`` loses that and has ``{{name}}`` and ``{{runtime_folder}}`` filled in. What begins with
    ``#!`` becomes executable. Nothing that is there already is written over.

    Raises: NotSupportedYet where there is no such template; FileExistsError.
    """
    if language not in templates(root):
        what = "is not supported yet" if language in KNOWN else "is not there"
        raise NotSupportedYet(f"the runtime {language} {what}: use {' or '.join(templates(root))}")
    own = language_folders(root)[language].resolve()
    template = own / "template"
    made = []
    for source in sorted(path for path in template.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        target = folder / source.relative_to(template)
        content = source.read_bytes()
        if target.suffix == SUFFIX:
            target = target.with_suffix("")
            content = content.replace(PLACE_OF_NAME.encode(), name.encode())
            content = content.replace(PLACE_OF_RUNTIME.encode(), os.fsencode(own))
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(content)
        if content.startswith(b"#!"):
            target.chmod(target.stat().st_mode | 0o111)
        made.append(target.relative_to(folder).as_posix())
    return sorted(made)
