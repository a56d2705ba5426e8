"""`clew serve`: the service in one process, for the person at this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from ..errors import DeniedError, UnavailableError
from ..settings import Settings
from .app import make_app
from .guarding import is_local


def serve(settings: Settings, host: str, port: int, *, tell: Callable[[str], None]) -> None:
    """Serve until the process is told to end. `tell` gets the page's address.

    Raises:
        DeniedError: the address is not this machine's own: without a login, everybody would be this one user.
        UnavailableError: the port is taken.
    """
    if not is_local(host):
        raise DeniedError(
            f"clew serve has no login yet, so it does not listen on {host}: leave --host out, "
            "and reach it from elsewhere through a tunnel, as ssh -L gives"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except PermissionError as error:
        raise DeniedError(f"port {port} may not be used by this user: take one above 1023") from error
    except OSError as error:
        raise UnavailableError(
            f"port {port} of {host} cannot be used ({error.strerror}): choose another one, as --port 0"
        ) from error
    with listening:
        name = f"[{host}]" if ":" in host else host
        tell(f"the page is at http://{name}:{listening.getsockname()[1]}  (Ctrl-C ends it)")
        config = uvicorn.Config(make_app(settings), log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listening])
