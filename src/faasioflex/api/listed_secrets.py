"""Whether a function may list the secrets that it lists: they are set, and who adds one may set it themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from faasioflex.api.context import Services
from faasioflex.api.resource.document import invalid
from faasioflex.identity.policy import Resource, permitted
from faasioflex.identity.principal import Principal
from faasioflex.model.errors import FieldError, NotAllowed


async def check_secrets(
    services: Services, caller: Principal, namespace: str, listed: Sequence[str], before: Iterable[str] = ()
) -> None:
    """``before``: those that the function lists now, which anybody who may deploy it may keep.

    Without this a grant on one function would be one on every secret of its namespace.
    Raises: NotAllowed; Invalid where one is not set.
    """
    if not listed:
        return
    held = set(before)
    added = [name for name in listed if name not in held]
    if added and "deploy" not in permitted(caller, Resource("secret", namespace)):
        raise NotAllowed(
            f"You may not give secrets of {namespace} to functions: have an admin of the namespace bind you as developer, or "
            f"leave {', '.join(added)} out"
        )
    store = services.identity.secrets
    missing = await store.missing(namespace, listed) if store is not None else tuple(listed)
    if missing:
        words = "Is not set in {ns}: 'ffx secret set {name} --namespace {ns}' first"
        raise invalid(
            *(
                FieldError(f"/secrets/{number}", words.format(name=name, ns=namespace))
                for number, name in enumerate(listed)
                if name in missing
            )
        )
