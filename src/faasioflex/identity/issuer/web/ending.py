"""Userinfo and logging out."""

from __future__ import annotations

from joserfc import jwt
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from faasioflex.identity.claims import AUDIENCE, TOKEN_TYPE
from faasioflex.identity.issuer.embedded import EmbeddedLogin
from faasioflex.identity.issuer.web.page import Browser, Page
from faasioflex.identity.issuer.web.sign_in import SignIn
from faasioflex.identity.oidc.id_token import unverified
from faasioflex.model.errors import NotAuthenticated, NotFound


class Ending:
    def __init__(self, login: EmbeddedLogin, sign_in: SignIn) -> None:
        self._login = login
        self._sign_in = sign_in

    async def userinfo(self, request: Request) -> Response:
        given = request.headers.getlist("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        try:
            if scheme.lower() != "bearer":
                raise NotAuthenticated("Send the access token: Authorization: Bearer TOKEN")
            user = await self._login.tokens.person(*self._held(token.strip()))
            account = await self._login.accounts.get(user.subject)
        except (NotAuthenticated, NotFound):
            return Response(status_code=401, headers={"www-authenticate": 'Bearer error="invalid_token"'})
        verified = account.email_verified
        said = {"sub": account.subject, "email": account.email, "name": account.name, "email_verified": verified}
        return JSONResponse(said, headers={"cache-control": "no-store"})

    def _held(self, token: str) -> tuple[str, str, float]:
        """Whose an access token of any client is, its id, and when it was made. Raises: NotAuthenticated."""
        header, _ = unverified(token)
        kid = header.get("kid")
        key = self._login.tokens.keys.public(kid) if isinstance(kid, str) else None
        if key is None or header.get("alg") != "RS256" or header.get("typ") != TOKEN_TYPE:
            raise NotAuthenticated("This is no access token")
        try:
            said = jwt.decode(token, key, algorithms=["RS256"]).claims
        except (JoseError, ValueError) as error:
            raise NotAuthenticated("The token's signature does not hold") from error
        known = said.get("iss") == self._login.issuer and said.get("aud") in self._login.clients.ids | {AUDIENCE}
        if not known or said.get("kind") != "access" or not float(said.get("exp", 0)) > self._login.clock():
            raise NotAuthenticated("The token does not hold here, or not any more")
        return str(said["sub"]), str(said["jti"]), float(said["iat"])

    async def logout(self, request: Request) -> Response:
        """RP-initiated logout, asked for by a form: a link of somebody else's page logs nobody out."""
        browser = Browser(request, self._login.issuer)
        if request.method == "POST":
            await browser.form()
            await self._sign_in.end(browser)
            query = request.query_params
            client = self._login.clients.find(query.get("client_id", ""))
            back = query.get("post_logout_redirect_uri", "")
            if client is not None and client.redirect(back):
                return browser.to(back)
            return browser.show(Page(browser.text("logout"), (browser.text("logged_out"),)))
        return browser.show(Page(browser.text("logout"), buttons=(("logout", browser.text("logout")),)))
