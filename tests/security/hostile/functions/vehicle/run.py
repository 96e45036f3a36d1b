"""``run.py ATTACK < arguments``: carries out one attack, answers JSON ``{"got", "refused", "saw"}`` on stdout.

Runs inside the sandbox with nothing but the standard library. An attack tries things by ``tried(label, what)``: what works is
booty and stands in ``got``, an OSError stands in ``refused`` with its text.
"""

import json
import os
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


class Tally:
    def __init__(self):
        self.got, self.refused, self.saw = {}, {}, {}

    def tried(self, label, what):
        try:
            value = what()
        except (OSError, ValueError, MemoryError) as error:
            self.refused[str(label)] = f"{type(error).__name__}: {error}"
        else:
            self.got[str(label)] = repr(value)[:300]


def main():
    import kernel
    import network
    import resources
    import sight

    told = json.loads(sys.stdin.read() or "{}")
    tally = Tally()
    attack = None
    for module in (sight, network, kernel, resources):
        attack = attack or getattr(module, sys.argv[1].replace("-", "_"), None)
    try:
        attack(tally, **told)
    except BaseException:
        answer = {"error": traceback.format_exc()}
    else:
        answer = {"got": tally.got, "refused": tally.refused, "saw": tally.saw}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)


main()
