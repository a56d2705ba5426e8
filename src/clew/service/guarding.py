"""Who may come in where there is no login: a person at this machine, through a page of this service.

Another page in the same browser may not (its Origin differs), nor one that got its own name resolved to this machine (its Host
is not local), nor anybody from another machine.
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from .problems import answer
from .refusals import LocalOnlyError

POLICY: Final = "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_SAFE: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


def is_local(host: str) -> bool:
    """Tell whether a host's name or address is this machine's own, reached by nobody else."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """Passes on the requests that may come in, and adds the headers that keep a page to itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A token is not sent by a browser on its own, so only who comes without one has to be looked at.
        why = _refuse(scope) if scope["app"].state.gate.is_local else None
        if why is not None:
            await answer(LocalOnlyError(why), scope)(scope, receive, send)
            return

        async def send_safely(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"]]  # type: ignore[misc]  # ASGI's messages are untyped
                given = {name.lower() for name, _ in headers}
                message["headers"] = [*headers, *(pair for pair in _SAFE if pair[0] not in given)]
            await send(message)

        await self._app(scope, receive, send_safely)  # type: ignore[arg-type]


def _refuse(scope: Scope) -> str | None:
    headers = Headers(scope=scope)
    server = scope.get("server")
    if server is not None and server[1] is not None and not is_local(str(server[0])):
        return "This service has no login, so it answers on this machine's own address only."
    host = urlsplit(f"//{headers.get('host', '')}")
    if not is_local(host.hostname or ""):
        return "This service answers to the name localhost only."
    origin = headers.get("origin")
    if origin is not None and scope["method"] not in ("GET", "HEAD") and urlsplit(origin).netloc != host.netloc:
        return "This request comes from another page."
    return None
