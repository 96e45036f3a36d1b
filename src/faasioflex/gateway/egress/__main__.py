"""``python -m faasioflex.gateway.egress``: the egress relay of a platform; started by its supervisor."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]  # asyncio does without, and we are 4 MiB smaller


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="faasioflex.gateway.egress", description="Leads connections out of sandboxes, as far as they may go."
    )
    parser.add_argument("--socket", type=Path, required=True, help="unix socket for launchers; its folder is private")
    parser.add_argument("--platform", type=Path, required=True, help="the gateway's unix socket behind FFX_URL")
    parser.add_argument("--envoy", type=Path, required=True, help="Envoy's program")
    parser.add_argument("--folder", type=Path, required=True, help="private, for Envoy's configuration")
    parser.add_argument("--allow", default="", help="addresses that functions may reach which name them")
    parser.add_argument("--parent", type=int, help="end when this process, our parent, has ended")
    given = parser.parse_args()

    import asyncio

    from faasioflex.gateway.egress.service import RelaySettings, serve
    from faasioflex.model.addresses import parse_allowances
    from faasioflex.runtime.launcher import journal

    journal.set_up()
    settings = RelaySettings(given.socket, given.platform, given.envoy, given.folder, parse_allowances(given.allow))
    try:
        asyncio.run(serve(settings, given.parent))
    except OSError as error:
        journal.log.error("the egress relay cannot run", extra={"error": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
