"""``ffx completion``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

PROGRAM, VARIABLE = "ffx", "_FFX_COMPLETE"
# zsh has no compdef before compinit was called, which a short .zshrc may not do
ZSH_FIRST = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u }\n"


class Shell(StrEnum):
    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="The shell to write it for.", show_default=False)]) -> None:
    """Write what makes a shell complete verbs, options and the names of functions.

    Put the line for your shell into its start-up file: ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish.

    \b
    Examples:
      source <(ffx completion bash)
      source <(ffx completion zsh)
      ffx completion fish | source
    """
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell.value)
    if shell is Shell.zsh:
        first, _, rest = script.partition("\n")  # #compdef, which is only for a file in fpath
        script = f"{first}\n{ZSH_FIRST}{rest}"
    print(script)
