"""TLS to a server whose very certificate is known, because it is in a file of ours."""

from __future__ import annotations

import ssl
from pathlib import Path

_END = "-----END CERTIFICATE-----"


def pinned(chain: Path) -> ssl.SSLContext:
    """Trusts the first certificate of ``chain`` and nothing else, whatever name it is for. Raises: OSError, ssl.SSLError."""
    first, end, _ = chain.read_text().partition(_END)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=first + end + "\n")
    return context
