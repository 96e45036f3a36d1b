"""Carries out the attack that the path names, in a process of its own; those on the log from inside the runtime."""

import json
import os
import subprocess
import sys


def handle(event, context):
    name = event.path.removeprefix("/attack/")
    if name == "forge-lines":
        return forge_lines(event.json(), context)
    run = [sys.executable, "-I", "-B", "/ffx/code/vehicle/run.py", name]
    return subprocess.run(run, input=event.body or b"{}", stdout=subprocess.PIPE, check=True).stdout.decode()


def forge_lines(told, context):
    """Straight to the pipe that the runtime reports on, and to stdout with everything that could end a line."""
    for line in told["reports"]:
        os.write(4, json.dumps(line).encode() + b"\n")
    for line in told["raw"]:
        os.write(4, line.encode("latin-1") + b"\n")
        os.write(1, line.encode("latin-1") + b"\n")
    print(told["printed"])
    return {"got": {}, "refused": {"written": "all"}, "saw": {}}
