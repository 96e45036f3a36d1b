"""``Prefer: respond-async`` on the direct path: the call is stored, whatever its method and path, and answered 202."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from faasioflex.invoker.admission import Admission
from faasioflex.invoker.body import Body
from faasioflex.invoker.call import Call
from faasioflex.invoker.front import cors
from faasioflex.invoker.front.accept import LONGEST_BODY, OF_HEADERS, Acceptance, options_of, too_large
from faasioflex.invoker.front.execute import answer_accepted
from faasioflex.invoker.front.reply import Reply
from faasioflex.invoker.front.request import whole_body
from faasioflex.model.function import Cors


class RespondAsync:
    """``cors_of``: as of the handler. ``url``: of the platform, where functions have another."""

    def __init__(
        self,
        acceptance: Acceptance,
        admission: Admission,
        cors_of: Callable[[Call], Cors | None],
        *,
        url: str = "",
    ) -> None:
        self._acceptance = acceptance
        self._admission = admission
        self._cors_of = cors_of
        self._url = url

    async def __call__(self, request: web.BaseRequest, reply: Reply, call: Call) -> None:
        """Raises FfxError for what becomes a problem."""
        options = options_of(request)
        async with whole_body(request, LONGEST_BODY, self._admission) as body:
            if body is None:
                raise too_large(call)
            call.body = Body(None, whole=body)
            call.metered = not call.target.counted
            made = await self._acceptance.accept(call, options, OF_HEADERS)
        await answer_accepted(reply, made, call.request_id, url=self._url, more=self._said(request, call))

    def _said(self, request: web.BaseRequest, call: Call) -> dict[str, str]:
        said = {"Preference-Applied": "respond-async"}
        rules = self._cors_of(call)
        origin = cors.allowed_origin(rules, request)
        if rules is not None and origin is not None:
            said |= {name.decode(): value.decode() for name, value in cors.of_answer([], rules, origin)}
        return said
