"""``ffx user``: the people of a platform."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from faasioflex.cli.connect import on_platform
from faasioflex.cli.output import Output, OutputOption, rows, show
from faasioflex.cli.subverbs import group_of_verbs
from faasioflex.cli.working import say

if TYPE_CHECKING:
    from faasioflex.client import Client, User

app = group_of_verbs(
    "Invite people, and change what they may.\n\n"
    "\b\nExamples:\n  ffx user invite grace@example.org\n  ffx user list\n  ffx user role grace@example.org auditor\n"
)
Who = Annotated[str, typer.Argument(metavar="EMAIL", help="E-mail or id.", show_default=False)]
NameOption = Annotated[str | None, typer.Option(help="Their name. [what stands before the @]")]
RoleOption = Annotated[str | None, typer.Option(help="admin, operator, developer, invoker or auditor. [developer]")]


@app.command("list")
@on_platform
def list_users(client: Client, output: OutputOption = Output.table) -> None:
    """List people.

    \b
    Example:
      ffx user list
    """
    found = client.users()
    lines = [
        (
            one.email or one.id,
            one.name,
            one.role,
            one.namespace,
            ",".join(one.groups),
            "disabled" if one.disabled else "",
        )
        for one in found
    ]
    columns = ("e-mail", "name", "role", "namespace", "groups", "")
    show(output, [one.raw for one in found], lambda: rows(columns, lines, empty="Nobody yet."))


@app.command()
@on_platform
def create(
    client: Client, email: Who, name: NameOption = None, role: RoleOption = None, output: OutputOption = Output.table
) -> None:
    """Make an account with a password: you are asked for it, or it is read from standard input.

    \b
    Examples:
      ffx user create grace@example.org --name Grace
      ffx user create ada@example.org --role auditor < password.txt
    """
    if sys.stdin.isatty():
        password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    _made(client.create_user(email, name or email.partition("@")[0], role=role, password=password), output)


@app.command()
@on_platform
def invite(
    client: Client, email: Who, name: NameOption = None, role: RoleOption = None, output: OutputOption = Output.table
) -> None:
    """Let somebody make their account: mails a link where the platform can send mail, and prints it once.

    \b
    Example:
      ffx user invite grace@example.org --role developer
    """
    _made(client.create_user(email, name or email.partition("@")[0], role=role), output)


@app.command()
@on_platform
def disable(client: Client, who: Who) -> None:
    """Lock somebody out: their tokens are void at once. Their functions go on.

    \b
    Example:
      ffx user disable grace@example.org
    """
    user = client.change_user(who, disabled=True)
    print(f"{user.email} is disabled")


@app.command()
@on_platform
def enable(client: Client, who: Who) -> None:
    """Let somebody in again.

    \b
    Example:
      ffx user enable grace@example.org
    """
    user = client.change_user(who, disabled=False)
    print(f"{user.email} is enabled")


@app.command()
@on_platform
def delete(client: Client, who: Who) -> None:
    """Delete an account with its login and its tokens.

    \b
    Example:
      ffx user delete grace@example.org
    """
    client.delete_user(who)
    print(f"Deleted {who}")


@app.command()
@on_platform
def role(
    client: Client,
    who: Who,
    role: Annotated[
        str, typer.Argument(metavar="ROLE", help="admin, operator, developer, invoker or auditor.", show_default=False)
    ],
) -> None:
    """Say what somebody is everywhere; 'ffx namespace bind' gives a role in one namespace.

    \b
    Example:
      ffx user role grace@example.org operator
    """
    user = client.change_user(who, role=role)
    print(f"{user.email} is {user.role}")


def _made(user: User, output: Output) -> None:
    def told() -> None:
        if user.invitation_url:
            say(f"Invited {user.email}. The link works once:")
            print(user.invitation_url)
        else:
            print(f"Made {user.email}: {user.role}, namespace {user.namespace}")

    show(output, user.raw, told)
