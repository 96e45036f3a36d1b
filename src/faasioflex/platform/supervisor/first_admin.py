"""Whether this start is the first one, which makes an admin."""

from __future__ import annotations

import subprocess
import sys

from faasioflex.model.errors import Unavailable
from faasioflex.platform.settings import Settings


def prepare(settings: Settings) -> str | None:
    """The one-time password of the admin that the embedded login will make; None where there was a start before,
    or people log in elsewhere.

    One that was told and never used, because the login did not come up, is replaced. Raises Unavailable.
    """
    if settings.login != "embedded" or settings.folder.login.exists():
        return None
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "faasioflex.platform.first_admin"),
            *(str(settings.folder.root), settings.admin_email),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode != 0:
        raise Unavailable(f"The first admin cannot be made: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.strip()


def sentence(url: str, email: str, password: str) -> str:
    """For the terminal, and for nothing else."""
    return (
        f"\n  The admin of this platform: {email}\n"
        f"  One-time password:          {password}\n"
        f"  It is shown this once and kept nowhere. Log in with 'ffx login --url {url}' and choose another one.\n"
    )
