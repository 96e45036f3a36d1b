"""How a page is written and a form is read: headers, cookies, CSRF, bounds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, PackageLoader
from starlette.requests import Request
from starlette.responses import Response

from faasioflex.identity.issuer.web.texts import language, text
from faasioflex.model.errors import BadRequest, PayloadTooLarge

LONGEST_FORM = 16 * 1024
_TEMPLATES = Environment(loader=PackageLoader("faasioflex.identity.issuer.web"), autoescape=True)
_STYLE = PackageLoader("faasioflex.identity.issuer.web").get_source(_TEMPLATES, "style.css")[0]
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


async def posted(request: Request) -> dict[str, str]:
    """Raises: BadRequest, PayloadTooLarge."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > LONGEST_FORM:
            raise PayloadTooLarge("The form is too big")
    try:
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=30)
    except ValueError:
        raise BadRequest("The body is not a form") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise BadRequest("No field may be given twice")
    return form


@dataclass(frozen=True)
class Field:
    name: str
    label: str
    type: str = "text"
    value: str = ""
    autocomplete: str = "off"


@dataclass(frozen=True)
class Page:
    """``buttons``: (value of ``do``, label)."""

    title: str
    texts: tuple[str, ...] = ()
    error: str = ""
    fields: tuple[Field, ...] = ()
    buttons: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)
    svg: object = ""
    codes: tuple[str, ...] = ()
    status: int = 200
    retry_after_s: int | None = None


class Browser:
    """One request of a browser."""

    def __init__(self, request: Request, issuer: str) -> None:
        self.request = request
        self.secure = issuer.startswith("https:")
        self.path = urlsplit(issuer).path
        self.lang = language(request.query_params.get("ui_locales", ""), request.headers.get("accept-language", ""))
        self._csrf = self.cookie("csrf")
        self._set: dict[str, tuple[str, int]] = {}

    @property
    def address(self) -> str:
        """As the gateway says: what it appended last."""
        hops = ",".join(self.request.headers.getlist("x-forwarded-for")).split(",")
        return hops[-1].strip() or (self.request.client.host if self.request.client else "")

    def text(self, name: str, **given: object) -> str:
        return text(self.lang, name, **given)

    def cookie(self, name: str) -> str:
        return self.request.cookies.get(self._name(name), "")[:200]

    def set(self, name: str, value: str, lives_s: int) -> None:
        self._set[name] = (value, lives_s)

    async def form(self) -> dict[str, str]:
        """Raises: BadRequest (also where the page is not one that this browser got from us), PayloadTooLarge."""
        form = await posted(self.request)
        given = form.get("csrf", "")
        if not self._csrf or not hmac.compare_digest(given.encode(), self._csrf.encode()):
            raise BadRequest(self.text("over"))
        return form

    def show(self, page: Page, form_action: str = "") -> Response:
        if not self._csrf:
            self._csrf = secrets.token_urlsafe(24)
            self.set("csrf", self._csrf, 86_400)
        html = _TEMPLATES.get_template("page.html").render(page=page, lang=self.lang, csrf=self._csrf, style=_STYLE)
        answer = Response(html, page.status, media_type="text/html")
        if page.retry_after_s is not None:
            answer.headers["retry-after"] = str(page.retry_after_s)
        return self.finish(answer, form_action)

    def to(self, url: str) -> Response:
        return self.finish(Response(status_code=303, headers={"location": url}))

    def finish(self, answer: Response, form_action: str = "") -> Response:
        answer.headers["content-security-policy"] = (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'{form_action}; "
            "frame-ancestors 'none'; base-uri 'none'"
        )
        answer.headers["x-frame-options"] = "DENY"
        answer.headers["referrer-policy"] = (
            "same-origin"  # with no-referrer a browser says of our own form that it comes from nowhere
        )
        answer.headers["cache-control"] = "no-store"
        for name, (value, lives_s) in self._set.items():
            answer.set_cookie(
                self._name(name),
                value,
                max_age=lives_s,
                path=self.path,
                secure=self.secure,
                httponly=True,
                samesite="lax",
            )
        return answer

    def _name(self, name: str) -> str:
        return f"__Secure-ffx_{name}" if self.secure else f"ffx_{name}"  # names that the gateway keeps from functions
