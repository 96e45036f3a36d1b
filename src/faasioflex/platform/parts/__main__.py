"""``python -m faasioflex.platform.parts PART…``: how the supervisor runs parts; people use ``ffx serve``."""

from __future__ import annotations

import sys

from faasioflex.model.errors import FfxError
from faasioflex.platform import logging
from faasioflex.platform.parts.names import expand
from faasioflex.platform.settings import Settings


def main(arguments: list[str]) -> int:
    """Settings come from the environment."""
    try:
        settings = Settings.load()
        logging.configure("+".join(arguments), settings.log_level)
        from faasioflex.platform.parts.run import run

        return run(expand(arguments), settings)
    except FfxError as error:
        print(f"Error: {error.message}\ncode: {error.code}", file=sys.stderr, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
