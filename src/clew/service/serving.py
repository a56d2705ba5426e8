"""`clew serve`: the service in one process."""

from __future__ import annotations

import gc
import logging
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from .. import Store
from ..errors import ClewError, DeniedError, UnavailableError
from ..settings import Settings
from .application import make_app
from .door import Gate
from .guarding import is_local
from .logs import Lines, write_json

logger = logging.getLogger("clew.service")
HANG_S: Final = 5
"""How long requests that do not end may hold up a worker that is told to end; answers then have their own time."""


def _no_store() -> Store:
    raise UnavailableError("no store is open yet")


def serve(settings: Settings, host: str, port: int, *, tell: Callable[[str], None]) -> None:
    """Serve until the process is told to end. `tell` gets the page's address.

    Where nobody has said who may come in, an address of this machine's own is for one user without a login.

    Raises:
        DeniedError: there is no login, and the address is not this machine's own.
        InvalidError: nobody has said who may come in to an address that others can reach.
        UnavailableError: the port is taken.
    """
    if settings.log == "json":
        write_json()

        def tell(text: str) -> None:
            logger.info(text, extra={"event": "serving"})

    if settings.access.mode is None and is_local(host):
        settings = replace(settings, access=settings.access.with_mode("none"))
        tell(f"without a login: whoever is at this machine is {settings.owner} (--auth token asks for one)")
    Gate(settings, _no_store)  # It says at once what no worker could start with.
    if settings.access.mode == "none" and not is_local(host):
        raise DeniedError(
            f"without a login clew serve does not listen on {host}, where everybody would be this one user: leave --host out, or "
            "let people come in by tokens (CLEW_AUTH=token)"
        )
    run(make_app(settings), host, port, lambda address: tell(f"the page is at {address}  (Ctrl-C ends it)"))


def run(app: Starlette, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Run an application as the service is run. `tell` gets its address, as soon as it listens.

    Raises:
        DeniedError, UnavailableError: the port may not be used, or is taken.
        ClewError: the application cannot start, since a setting cannot be used.
    """
    with listen(host, port) as listening:
        name = f"[{host}]" if ":" in host else host
        tell(f"http://{name}:{listening.getsockname()[1]}")
        # With lines of JSON the loggers are set up already, uvicorn's too.
        has_lines = any(isinstance(each.formatter, Lines) for each in logging.getLogger().handlers)
        more: dict[str, Any] = {"log_config": None} if has_lines else {}
        # What is loaded by now stays for good. To look through it again takes the collector 0.2 seconds: nobody is answered then.
        gc.collect()
        gc.freeze()
        start = _Start(app)
        config = uvicorn.Config(start, log_level="warning", access_log=False, timeout_graceful_shutdown=HANG_S, **more)
        try:
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            # Instead of what uvicorn ends the process with.
            if start.failed is not None:
                raise start.failed


class _Start:
    """An application, and why it could not start: a sentence for whoever typed the command, where uvicorn writes a stack trace.

    Attributes:
        failed: what clew raised on purpose; None where it started, or where the fault is in the program.
    """

    def __init__(self, app: Starlette) -> None:
        self.failed: ClewError | None = None
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            return await self._app(scope, receive, send)

        async def tell(message: Message) -> None:
            error = sys.exc_info()[1]
            if message["type"] == "lifespan.startup.failed" and isinstance(error, ClewError):
                self.failed = error
                message = {"type": message["type"]}
            await send(message)

        await self._app(scope, receive, tell)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        DeniedError, UnavailableError: the port may not be used, or is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except PermissionError as error:
        raise DeniedError(f"port {port} may not be used by this user: take one above 1023") from error
    except OSError as error:
        raise UnavailableError(
            f"port {port} of {host} cannot be used ({error.strerror}): choose another one, as --port 0"
        ) from error
    # Asyncio does so only for sockets that name their protocol, and these do not. Without it an answer's body, which is a write
    # of its own, waits 40 milliseconds for the other side to acknowledge the head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
