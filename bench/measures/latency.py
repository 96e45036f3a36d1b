"""What the gateway adds to a call when nothing else happens: the same instance over its own socket and through the platform."""

from __future__ import annotations

import statistics

from bench.bench import Bench, say
from bench.caller import Caller
from bench.figures import Json, spread


def measure(bench: Bench) -> Json:
    """Per language, from blocks of calls that alternate; the added time is made within a pair of blocks."""
    found: Json = {}
    for echo in bench.echoes:
        if any(other.language is echo.language for other in bench.echoes[: bench.echoes.index(echo)]):
            continue  # the first app of a language stands for it
        address = bench.platform.instances(echo.name)[0].address
        with Caller(address) as direct, bench.platform.caller(echo.name) as through:
            blocks = [
                (_p50_ms(direct, bench.amount.block_calls), _p50_ms(through, bench.amount.block_calls))
                for _ in range(bench.amount.blocks + 1)
            ][1:]
        found[echo.language.name] = {
            "own_socket_ms": spread([own for own, _ in blocks]),
            "platform_ms": spread([gateway for _, gateway in blocks]),
            "added_ms": spread([gateway - own for own, gateway in blocks]),
        }
        say(f"  {echo.language.name}: +{statistics.median(gateway - own for own, gateway in blocks):.3f} ms")
    return found


def _p50_ms(caller: Caller, calls: int) -> float:
    return statistics.median(1000 * caller.call()[0] for _ in range(calls))
