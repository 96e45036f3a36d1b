"""Every verb of ``ffx``: where its code is and what it does in one line, so that ``ffx --help`` imports none of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """``target`` is ``module:attribute``: a function with Typer parameters, or a ``typer.Typer`` for a verb with verbs of its own."""

    name: str
    target: str
    summary: str  # the first line of its help
    section: str


PLATFORM, FUNCTIONS, TRAFFIC, CALLS, WATCH = "The platform", "Functions", "Revisions and traffic", "Calls", "Watching"
ACCESS = "People and what they may"

VERBS: tuple[Verb, ...] = (
    Verb("up", "faasioflex.cli.up:up", "Start the platform on this machine.", PLATFORM),
    Verb("down", "faasioflex.cli.down:down", "Stop the platform on this machine.", PLATFORM),
    Verb("status", "faasioflex.cli.status:status", "Show whether the platform runs, and its parts.", PLATFORM),
    Verb(
        "doctor",
        "faasioflex.cli.doctor:doctor",
        "Tell what this machine can do for the platform, with the cures.",
        PLATFORM,
    ),
    Verb(
        "serve", "faasioflex.cli.serve:serve", "Run one part of the platform, or several, in the foreground.", PLATFORM
    ),
    Verb(
        "context", "faasioflex.cli.context:app", "Name the platforms you work with and switch between them.", PLATFORM
    ),
    Verb(
        "completion",
        "faasioflex.cli.completion:completion",
        "Write what makes a shell complete verbs, options and the names of functions.",
        PLATFORM,
    ),
    Verb(
        "version", "faasioflex.cli.version:version", "Show the version of this command and of the platform.", PLATFORM
    ),
    Verb(
        "new",
        "faasioflex.cli.new:new",
        "Make a folder with a working function, its test and sample requests.",
        FUNCTIONS,
    ),
    Verb(
        "dev",
        "faasioflex.cli.dev:dev",
        "Run one function on this machine, reloading it when a file changes; no platform is needed.",
        FUNCTIONS,
    ),
    Verb(
        "test",
        "faasioflex.cli.test:run_tests",
        "Run a function's own tests, with the toolchain, the library and the packages that the platform gives it.",
        FUNCTIONS,
    ),
    Verb("deploy", "faasioflex.cli.deploy:deploy", "Create or update a function from a folder.", FUNCTIONS),
    Verb("list", "faasioflex.cli.list:list_functions", "List functions.", FUNCTIONS),
    Verb("get", "faasioflex.cli.get:get", "Show one function.", FUNCTIONS),
    Verb("delete", "faasioflex.cli.delete:delete", "Delete a function with all its revisions.", FUNCTIONS),
    Verb("scale", "faasioflex.cli.scale:scale", "Run this many instances of a function now.", FUNCTIONS),
    Verb("revisions", "faasioflex.cli.revisions:revisions", "List the revisions of a function.", TRAFFIC),
    Verb("traffic", "faasioflex.cli.traffic:traffic", "Split a function's calls between revisions.", TRAFFIC),
    Verb("rollback", "faasioflex.cli.rollback:rollback", "Send all calls to an earlier revision.", TRAFFIC),
    Verb("invoke", "faasioflex.cli.invoke:invoke", "Call a function.", CALLS),
    Verb("result", "faasioflex.cli.result:result", "Show what became of a call.", CALLS),
    Verb("cancel", "faasioflex.cli.cancel:cancel", "Take an asynchronous call back.", CALLS),
    Verb(
        "dead-letters",
        "faasioflex.cli.dead_letters:app",
        "Show calls that were given up, run them again or throw them away.",
        CALLS,
    ),
    Verb("cache", "faasioflex.cli.cache:app", "Forget kept answers of a function.", CALLS),
    Verb("logs", "faasioflex.cli.logs:logs", "Show what a function wrote.", WATCH),
    Verb("build-log", "faasioflex.cli.logs:build_log", "Show what the last build wrote.", WATCH),
    Verb("top", "faasioflex.cli.top:top", "Watch the load of functions.", WATCH),
    Verb("events", "faasioflex.cli.events:events", "Show the changes of functions as they happen.", WATCH),
    Verb(
        "login", "faasioflex.cli.login:login", "Log in to a platform and keep the tokens for the next commands.", ACCESS
    ),
    Verb("logout", "faasioflex.cli.login:logout", "End the login here: its tokens are revoked and forgotten.", ACCESS),
    Verb("whoami", "faasioflex.cli.whoami:whoami", "Show who you are to the platform, and what for.", ACCESS),
    Verb("grant", "faasioflex.cli.grant:grant", "Let others call or change one function, or list who may.", ACCESS),
    Verb("token", "faasioflex.cli.token:app", "Make tokens for programs, list and revoke them.", ACCESS),
    Verb(
        "secret",
        "faasioflex.cli.secret:app",
        "Keep passwords and keys for functions: encrypted, and never shown again.",
        ACCESS,
    ),
    Verb("user", "faasioflex.cli.user:app", "Invite people, and change what they may.", ACCESS),
    Verb(
        "group",
        "faasioflex.cli.group:app",
        "Put people into groups, which own namespaces and are granted functions.",
        ACCESS,
    ),
    Verb("namespace", "faasioflex.cli.namespace:app", "Make namespaces that several people share.", ACCESS),
    Verb("quota", "faasioflex.cli.quota:app", "Show and set bounds of namespaces.", ACCESS),
)
