"""The door: whoever comes in has an identity, or gets 401. Every path is behind it but the few named here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from .. import Store
from ..errors import ClewError, InvalidError
from ..settings import Settings
from .identity import SCOPE, Identity, UnauthorizedError
from .keys import PREFIX, Keys
from .problems import answer
from .tokens import Tokens

OPEN: Final = frozenset({"/", "/favicon.ico", "/healthz", "/readyz", "/openapi.json"})
"""The paths that hold nobody's data."""
METRICS: Final = "/metrics"
"""It is open too, where the settings do not ask for a token."""
OPEN_UNDER: Final = ("/static/", "/problems/")


class Gate:
    """Knows who asks, from the headers of a request. Made when a worker starts."""

    def __init__(self, settings: Settings, store: Callable[[], Store]) -> None:
        """Raises InvalidError where nobody has said who may come in."""
        if settings.access.mode is None:
            raise InvalidError(
                "nobody has said who may come in: set CLEW_JWT_SECRET or CLEW_JWKS_URL for tokens, CLEW_AUTH=token for API keys "
                "alone, or CLEW_AUTH=none (clew serve --auth none) for one user of this machine without a login"
            )
        self.is_local = settings.access.mode == "none"
        self.opens: Final = OPEN if settings.metrics == "token" else OPEN | {METRICS}
        self._local = Identity(settings.owner, source="local", may_write_system=True)
        self._tokens = Tokens(settings.access)
        self._keys = Keys(store)

    async def identify(self, scope: Scope) -> Identity:
        """Return who asks.

        Raises:
            UnauthorizedError: no token or key, or one that does not hold.
            UnavailableError: what it is held against is away.
        """
        if self.is_local:
            return self._local
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            raise UnauthorizedError("send one header Authorization: Bearer, with a token or an API key")
        scheme, _, token = given[0].decode("latin-1").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or not token.isascii():
            raise UnauthorizedError("send one header Authorization: Bearer, with a token or an API key")
        return await (self._keys if token.startswith(PREFIX) else self._tokens).identify(token)


class Door:
    """Puts the identity into the scope of each request, or answers it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and not scope["path"].startswith(OPEN_UNDER):
            gate: Gate = scope["app"].state.gate
            if scope["path"] in gate.opens:
                await self._app(scope, receive, send)
                return
            try:
                scope[SCOPE] = await gate.identify(scope)
            except ClewError as error:
                await answer(error, scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)
