"""Where the interpreter begins: makes ``ffx_runtime`` importable, and nothing else of this folder."""

import os
import sys


def start() -> None:
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != folder]
    sys.path.insert(0, folder)
    from ffx_runtime.later import postpone, settle

    postpone()
    from ffx_runtime.main import main

    settle()
    options = sys.argv[1:]
    if options == ["--spare"]:
        from ffx_runtime.spare import wait

        options = wait()
    sys.path.remove(folder)
    code = main(options)
    sys.stdout.flush()
    sys.exit(code)


start()
