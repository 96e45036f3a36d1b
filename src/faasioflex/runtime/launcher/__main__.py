"""``python -m faasioflex.runtime.launcher --data DIR --socket PATH --mode sandbox|process [--parent PID]``"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]  # asyncio does without, and we are 4 MiB smaller


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="faasioflex.runtime.launcher", description="Owns sandboxes and their log pipes."
    )
    parser.add_argument("--data", type=Path, required=True, help="the installation's data folder, absolute")
    parser.add_argument("--socket", type=Path, required=True, help="unix socket to serve; its folder is private")
    parser.add_argument("--mode", choices=("sandbox", "process"), default="sandbox")
    parser.add_argument("--parent", type=int, help="end when this process, our parent, has ended")
    parser.add_argument("--memory", type=Path, help="a tmpfs for instances' tokens and secrets; default: /dev/shm")
    parser.add_argument("--egress", type=Path, help="unix socket of the egress relay")
    parser.add_argument(
        "--pool", type=int, default=0, metavar="BYTES", help="memory for sandboxes that wait for a function"
    )
    arguments = parser.parse_args()

    from faasioflex.runtime.spawn import reserve_low_descriptors

    reserve_low_descriptors()  # before the event loop opens anything

    import asyncio

    from faasioflex.runtime.launcher import journal
    from faasioflex.runtime.launcher.service import Settings, serve

    journal.set_up()
    settings = Settings(
        arguments.data.resolve(),
        arguments.socket,
        arguments.mode,
        arguments.egress,
        arguments.memory,
        pool_bytes=arguments.pool,
    )
    try:
        asyncio.run(serve(settings, arguments.parent))
    except OSError as error:
        journal.log.error("the launcher cannot run", extra={"error": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
