"""The key by which users are let into NATS: one for each installation, made at its first start.

It is made in a process of its own (``python -m faasioflex.platform.nats_issuer FILE``): the supervisor stays small.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from faasioflex.model.errors import Unavailable
from faasioflex.platform.folder import DataFolder
from faasioflex.platform.private_file import make_private, write_private


@dataclass(frozen=True)
class Issuer:
    public: str
    seed: str = field(repr=False)


def prepare(folder: DataFolder) -> Issuer:
    """The installation's own, made where there is none. Raises: Unavailable."""
    path = folder.identity / "nats-issuer.json"
    if not path.exists():
        make_private(path.parent)
        done = subprocess.run(
            [sys.executable, "-P", "-m", "faasioflex.platform.nats_issuer", str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode != 0:
            raise Unavailable(f"A key for users of NATS cannot be made: {done.stderr.strip()[-300:]}")
    try:
        found = json.loads(path.read_text())
        return Issuer(str(found["public"]), str(found["seed"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"{path} cannot be read ({error}): remove it, then another key is made") from error


def main(arguments: list[str]) -> None:
    from faasioflex.identity.nats.nkeys import AccountKey

    key = AccountKey.generate()
    write_private(Path(arguments[0]), json.dumps({"public": key.public, "seed": key.seed}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
