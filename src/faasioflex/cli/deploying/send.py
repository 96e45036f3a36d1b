"""Create the function or update it, whichever is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from faasioflex.cli.deploying.plan import Plan
from faasioflex.cli.working import shown_while_read
from faasioflex.model.errors import FunctionExists, FunctionNotFound

if TYPE_CHECKING:
    from faasioflex.client import Client, Function


@dataclass(frozen=True)
class Sent:
    """``after`` as the platform answered at once; ``before`` None for a new function."""

    before: Function | None
    after: Function

    @property
    def new_revision(self) -> bool:
        return self.before is None or _latest(self.before) != _latest(self.after)

    @property
    def unchanged(self) -> bool:
        return self.before is not None and not self.new_revision and self.before.etag == self.after.etag


def send(client: Client, plan: Plan) -> Sent:
    """Raises: what the platform refuses, BadRequest where a new function's files do not say its runtime."""
    before = _find(client, plan)
    if plan.archive is None:
        return _write(client, plan, before, None)
    with shown_while_read(plan.archive.file, plan.archive.packed_bytes, f"Sending {plan.function}") as file:
        return _write(client, plan, before, file)


def _write(client: Client, plan: Plan, before: Function | None, archive: IO[bytes] | None) -> Sent:
    if before is None:
        try:
            return Sent(None, client.register(plan.of_new_function(), archive=archive))
        except FunctionExists:
            before = client.get(plan.function)  # somebody was faster, or an attempt of ours arrived after all
    change = client.put if plan.whole else client.patch
    document = dict(plan.document)
    if before.status.latest is not None and before.status.latest.state == "failed":
        document.setdefault("rollout", "all")  # the same again is another try, not «nothing changed»
    return Sent(before, change(plan.function, document, archive=archive))


def _find(client: Client, plan: Plan) -> Function | None:
    try:
        return client.get(plan.function)
    except FunctionNotFound:
        return None


def _latest(function: Function) -> int | None:
    return function.status.latest.revision if function.status.latest else None
