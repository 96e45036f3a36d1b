"""The pages as routes of a Starlette application."""

from __future__ import annotations

from starlette.routing import Route

from faasioflex.identity.issuer.embedded import EmbeddedLogin
from faasioflex.identity.issuer.web.accounts import AccountPages
from faasioflex.identity.issuer.web.authorize import Authorize
from faasioflex.identity.issuer.web.device import Device
from faasioflex.identity.issuer.web.ending import Ending
from faasioflex.identity.issuer.web.second_factor import SecondFactorPage
from faasioflex.identity.issuer.web.sign_in import SignIn


def routes(login: EmbeddedLogin) -> list[Route]:
    """Paths with the issuer's own, ``/oidc``."""
    sign_in = SignIn(login)
    device, pages, ending = Device(login, sign_in), AccountPages(login, sign_in), Ending(login, sign_in)
    authorize, factor = Authorize(login, sign_in), SecondFactorPage(login, sign_in)
    both = ["GET", "POST"]
    return [
        Route("/oidc/authorize", authorize.page, methods=both),
        Route("/oidc/device/code", device.code, methods=["POST"]),
        Route("/oidc/device", device.page, methods=both),
        Route("/oidc/userinfo", ending.userinfo, methods=both),
        Route("/oidc/logout", ending.logout, methods=both),
        Route("/oidc/forgot", pages.forgot, methods=both),
        Route("/oidc/reset", pages.reset, methods=both),
        Route("/oidc/signup", pages.sign_up, methods=both),
        Route("/oidc/join", pages.join, methods=both),
        Route("/oidc/second-factor", factor.page, methods=both),
    ]
