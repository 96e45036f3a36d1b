"""The policy in front of every call: before the function learns of it, and before an instance is started for it."""

from __future__ import annotations

from faasioflex.identity.directory import Directory
from faasioflex.identity.policy import Verb, permitted
from faasioflex.identity.principal import FUNCTION_PREFIX, Principal
from faasioflex.invoker.call import Call
from faasioflex.invoker.caller import Caller
from faasioflex.invoker.rates import Rates
from faasioflex.invoker.routes import Routes
from faasioflex.model.errors import FfxError, FunctionNotFound, NotAllowed, NotAuthenticated
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute

NOTHING: frozenset[Verb] = frozenset()


class Guard:
    """What is hidden and what does not exist cost the same: both are asked of the registry's leader before they are denied."""

    def __init__(self, routes: Routes, directory: Directory, rates: Rates) -> None:
        self._rates = rates
        self._routes = routes
        self._directory = directory

    async def find(self, call: Call) -> FunctionRoute:
        """The route of the call's function, for a caller who may invoke it.

        Raises: NotAuthenticated (nobody, and it is not public, or there is none), FunctionNotFound, NotAllowed; RateLimited;
        Unavailable.
        """
        function = call.target.function
        await self._check_function(call)
        principal = call.caller.principal
        verbs, route = self._verbs(principal, function)
        if "invoke" not in verbs:
            await self._routes.ask(function, principal.pid)
            verbs, route = self._verbs(principal, function)
        if route is None or "invoke" not in verbs:
            raise _denial(call.caller, function, verbs)
        if call.metered:
            self._rates.take(function, route.rate_limit, principal.pid or call.address)
            call.metered = False
        return route

    def _verbs(self, principal: Principal, function: FunctionName) -> tuple[frozenset[Verb], FunctionRoute | None]:
        route = self._routes.known(function)
        if route is None:
            return NOTHING, None
        return permitted(principal, self._directory.function(function, route.visibility, route.function_uid)), route

    async def _check_function(self, call: Call) -> None:
        """A function that calls must be the one for which its token was made: another one of that name is somebody else."""
        principal = call.caller.principal
        if principal.kind != "function":
            return
        name = FunctionName.from_key(principal.uid.removeprefix(FUNCTION_PREFIX))
        if self._uid(name) != principal.function_uid:
            await self._routes.ask(name, principal.pid)
            if self._uid(name) != principal.function_uid:
                error = NotAuthenticated("The function that this token was made for is gone")
                call.caller = Caller(refused=error)

    def _uid(self, name: FunctionName) -> str | None:
        route = self._routes.known(name)
        return route.function_uid if route is not None else None


def _denial(caller: Caller, function: FunctionName, verbs: frozenset[Verb]) -> FfxError:
    if caller.principal.kind == "anonymous":
        return caller.refused or NotAuthenticated(
            "Calls of this function need a token: send Authorization: Bearer TOKEN"
        )
    if "see" not in verbs:
        return FunctionNotFound(f"There is no function {function} that you may see")
    return NotAllowed(f"You may see {function}, but not call it: its owner can let you with 'ffx grant'")
