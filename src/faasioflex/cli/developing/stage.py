"""A copy of what would be deployed: what runs does not change under its feet, and files that stay at home are not there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from faasioflex.cli.packing.pack import sources
from faasioflex.model.errors import BadRequest


def stage(folder: Path, target: Path) -> None:
    """Copy the function's files to ``target``, which must not exist yet; of their modes only the x bit is kept.

    Raises: BadArchive, BadRequest for a file that cannot be read.
    """
    target.mkdir(parents=True)
    for path in sources(folder):
        copy = target / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            if path.is_symlink():
                copy.symlink_to(os.readlink(path))
                continue
            shutil.copyfile(path, copy)
            copy.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        except FileNotFoundError:
            continue  # an editor's temporary file, gone again
        except OSError as error:
            raise BadRequest(f"{path} cannot be read: {error.strerror}") from error
