"""``python -m faasioflex.platform.supervisor SETTINGS``: what ``ffx up`` becomes. SETTINGS is the JSON of the settings given."""

from __future__ import annotations

import sys

sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]  # asyncio does without it, and we are 4 MiB smaller

if __name__ == "__main__":
    from faasioflex.platform.supervisor.main import main

    sys.exit(main(sys.argv[1:]))
