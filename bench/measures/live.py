"""How soon a change counts: from sending it until a call through the gateway is answered by it."""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlsplit

from bench.platform_under_test import NAMESPACE, WITHIN_S, Platform

CODE = "def handle(event, context):\n    return {'code': %d}\n"


def in_place_ms(platform: Platform, name: str, times: int) -> list[float]:
    """Of the visibility of a private function, to and fro: from sending the PATCH until a caller without a token is let in, or no more."""
    platform.client.patch(name, {"visibility": "private"}, wait_s=WITHIN_S)
    where = urlsplit(platform.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port or 80, timeout=30)
    taken = []
    try:
        for number in range(2 * times):
            wanted = "private" if number % 2 else "public"
            began = time.perf_counter()
            platform.client.patch(name, {"visibility": wanted})
            while (_status(connection, name) == 200) != (wanted == "public"):
                if time.perf_counter() > began + WITHIN_S:
                    raise RuntimeError(f"{name} did not become {wanted} within {WITHIN_S:g} s")
            taken.append(1000 * (time.perf_counter() - began))
    finally:
        connection.close()
    return taken


def deployed_ms(platform: Platform, name: str, times: int) -> list[float]:
    """Of code that was never built: from sending the PATCH until the new code answers."""
    taken = []
    for number in range(times):
        code = time.time_ns() + number
        began = time.perf_counter()
        platform.client.patch(name, {"source": {"files": {"main.py": CODE % code}}})
        wanted = str(code).encode()
        while wanted not in platform.once(name)[1]:
            if time.perf_counter() > began + WITHIN_S:
                raise RuntimeError(f"{name} did not answer with its new code within {WITHIN_S:g} s")
            time.sleep(0.005)
        taken.append(1000 * (time.perf_counter() - began))
    return taken


def _status(connection: http.client.HTTPConnection, name: str) -> int:
    connection.request("POST", f"/f/{NAMESPACE}/{name}", body=b"{}", headers={"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status
