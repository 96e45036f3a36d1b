"""In the build sandbox: the three steps of a Go function. None of them runs the function's code.

usage: go_steps.py seed  GO RUNTIME
       go_steps.py fetch GO RUNTIME MODULES FOLDER
       go_steps.py build GO RUNTIME CODE PREPARE FOLDER HANDLER

RUNTIME is the folder runtimes/go; MODULES the module cache to fill; FOLDER holds go.mod, go.sum and the go.mod files of
modules below (read-only in ``build``, which uses a copy). ``seed`` writes the program cmd/prepare to descriptor 3, ``build``
the function's. GOCACHE, GOMODCACHE and the proxies come in the environment. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

ANSWER = 3
OURS = "faasioflex.dev/faasioflex"
OLDEST = "1.24"
AN_ERROR = re.compile(r"\S+\.go:\d+")
NO_MODULE = re.compile(r"cannot find module providing package (\S+): module lookup disabled by GOPROXY=off")
TELL_EVERY_S = 5.0
SAMPLE = """package function

import (
	"context"

	"faasioflex.dev/faasioflex"
)

func Handle(ctx context.Context, event faasioflex.Event) (any, error) { return nil, nil }
"""
# no DWARF: the linker would strip what the compiler made
FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-gcflags=all=-dwarf=false")


def main() -> int:
    match sys.argv[1:]:
        case ["seed", go, runtime]:
            return seed(go, runtime)
        case ["fetch", go, runtime, modules, folder]:
            return fetch(go, runtime, modules, folder)
        case ["build", go, runtime, code, prepare, folder, *handler]:
            return build(Call(go, runtime, code, prepare, folder, *handler))
    print(__doc__, file=sys.stderr)
    return 2


class Call(NamedTuple):
    go: str
    runtime: str
    code: str
    prepare: str
    folder: str
    handler: str = ""


def seed(go: str, runtime: str) -> int:
    """Compile what every function needs, as functions are compiled, so that all of it is in GOCACHE."""
    scratch = tempfile.mkdtemp()
    code, program = os.path.join(scratch, "code"), os.path.join(scratch, "prepare")
    os.mkdir(code)
    write(os.path.join(code, "function.go"), SAMPLE)
    write(os.path.join(code, "go.mod"), f"module function\n\ngo {OLDEST}\n")
    folder = os.path.join(runtime, "faasioflex")
    said = verbose([go, "build", "-v", *FLAGS, "-o", program, "./cmd/prepare"], folder)
    if said is not None:
        return failed(said)
    work = os.path.join(scratch, "work")
    subprocess.run([program, "-code", code, "-work", work, "-runtime", runtime], check=True, stdout=subprocess.DEVNULL)
    argv = compile_argv(go, runtime, code, work, code, "-v")
    said = verbose(argv, code)
    if said is not None:
        return failed(said)
    answer(program)
    return 0


def fetch(go: str, runtime: str, modules: str, folder: str) -> int:
    whole = not os.path.exists(os.path.join(folder, "go.sum"))
    use_ours(go, runtime, os.path.join(folder, "go.mod"))
    argv = [go, "mod", "download", "-modcacherw", *(["all"] if whole else [])]
    done = subprocess.run(argv, cwd=folder, check=False, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        return failed(clean(done.stderr, {folder: ""}))
    count = 0
    for root, folders, files in os.walk(os.path.join(modules, "cache", "download")):
        for name in files:
            count += name.endswith(".zip")
            if name.endswith((".zip", ".lock")):  # it is unpacked and its hash is noted: nothing needs it any more
                os.unlink(os.path.join(root, name))
        if "sumdb" in folders:
            shutil.rmtree(os.path.join(root, "sumdb"))
            folders.remove("sumdb")
    print(f"{count} modules")
    return 0


def build(call: Call) -> int:
    work = tempfile.mkdtemp()
    argv = [call.prepare, "-code", call.code, "-work", work, "-runtime", call.runtime, "-handler", call.handler]
    looked = subprocess.run(argv, check=False, stdout=subprocess.PIPE, text=True)
    if looked.returncode != 0:
        return looked.returncode
    argv = compile_argv(call.go, call.runtime, call.code, work, call.folder)
    ended = subprocess.run(argv, cwd=call.code, check=False, capture_output=True, text=True, errors="replace")
    if ended.returncode != 0:
        return failed(clean(ended.stderr + ended.stdout, {os.path.join(work, "mod"): "", call.code: ""}))
    print(looked.stdout.strip(), flush=True)
    answer(os.path.join(work, "function"))
    return 0


def compile_argv(go: str, runtime: str, code: str, work: str, folder: str, *flags: str) -> list[str]:
    """The program of ``work`` is compiled as a package inside the function's module, which stays as it is: what is added lies
    in an overlay and in a copy of go.mod."""
    mod = os.path.join(work, "mod")
    os.mkdir(mod)
    for name in ("go.mod", "go.sum"):
        if os.path.exists(os.path.join(folder, name)):
            shutil.copyfile(os.path.join(folder, name), os.path.join(mod, name))
    use_ours(go, runtime, os.path.join(mod, "go.mod"))
    package = "ffx_program"
    while os.path.lexists(os.path.join(code, package)):
        package += "_"
    overlay = os.path.join(work, "overlay.json")
    shown = {os.path.join(code, package, "main.go"): os.path.join(work, "main.go")}
    write(overlay, json.dumps({"Replace": shown}))
    files = ["-mod=mod", f"-modfile={mod}/go.mod", f"-overlay={overlay}"]
    return [go, "build", *flags, *FLAGS, *files, "-o", os.path.join(work, "function"), f"./{package}"]


def use_ours(go: str, runtime: str, file: str) -> None:
    """Whatever a go.mod says of the platform's module: it is that of the runtime's folder."""
    asked = subprocess.run([go, "mod", "edit", "-json", file], check=False, capture_output=True, text=True)
    if asked.returncode != 0:
        raise SystemExit(failed(clean(asked.stderr, {os.path.dirname(file): ""})))
    content = json.loads(asked.stdout)
    edits = [f"-require={OURS}@v0.0.0", f"-dropexclude={OURS}@v0.0.0"]
    for one in content.get("Replace") or []:
        if one["Old"]["Path"] == OURS:
            edits.append(f"-dropreplace={OURS}" + (f"@{one['Old']['Version']}" if one["Old"].get("Version") else ""))
    edits.append(f"-replace={OURS}={os.path.join(runtime, 'faasioflex')}")
    if not content.get("Go"):
        edits.append(f"-go={OLDEST}")  # Go would take it for 1.16, without generics
    subprocess.run([go, "mod", "edit", *edits, file], check=True)


def verbose(argv: list[str], folder: str) -> list[str] | None:
    """Run it, and tell now and then how far it is. What it said, where it failed."""
    said: list[str] = []
    told = time.monotonic()
    with subprocess.Popen(
        argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as running:
        for line in running.stdout or ():
            said.append(line.rstrip())
            if time.monotonic() - told >= TELL_EVERY_S:
                told = time.monotonic()
                print(f"{len(said)} packages of Go's library compiled, {said[-1]} the last", flush=True)
    return said if running.returncode != 0 else None


def clean(text: str, folders: dict[str, str]) -> list[str]:
    """Go's lines with paths as the author knows them, and the cure that fits here."""
    for folder, shown in folders.items():
        text = text.replace(folder + "/", shown)
    text = NO_MODULE.sub(r"the package \1 is in no module that go.mod asks for: 'go get \1' adds it", text)
    lines = [re.sub(r"^\./", "", line.rstrip()) for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith(("# ", "go: finding module", "go: downloading"))]


def failed(lines: list[str]) -> int:
    """All of it, and as the last line the first error: what people read first."""
    for line in lines:
        print(line, file=sys.stderr)
    errors = [line for line in lines if AN_ERROR.match(line)]
    if errors and len(lines) > 1:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        print(errors[0] + more, file=sys.stderr)
    elif len(lines) > 1:
        print(f"{lines[0]} {lines[1].strip()}" if lines[0].endswith(":") else lines[0], file=sys.stderr)
    return 1 if lines else 2


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def answer(path: str) -> None:
    with open(path, "rb") as made, open(ANSWER, "wb") as target:
        shutil.copyfileobj(made, target)


if __name__ == "__main__":
    sys.exit(main())
