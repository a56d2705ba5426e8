"""`clew mcp`: the server over standard input and output, for one owner who is named when it starts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable

from mcp.server.stdio import stdio_server

from .desk import Shelves
from .lines import AnsweringStream
from .opening import Opening
from .server import GROUPS, make_server


async def serve_stdio(url: str, owner: str, *, bare_keys: bool = False, groups: Iterable[str] = GROUPS) -> None:
    """Serve until standard input ends, or Ctrl-C ends the process at once.

    The store is opened at the first call, so that a server starts while it is away.

    Args:
        url: the store.
        owner: whose conversations and values these are.
        bare_keys: values stand under just the key that is given, where the `coaia` command line has them.
        groups: which tools there are, as `server.GROUPS` names them.

    Raises:
        InvalidError: there is no such group.
    """
    if threading.current_thread() is threading.main_thread():
        # The thread that waits for standard input cannot be woken. What was acknowledged is kept, so Ctrl-C may end the process.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    shelves = Shelves.of(url, bare=bare_keys)
    async with Opening(url) as opening:
        server = make_server(opening.store, lambda context: owner, shelves=shelves, in_full=True, groups=groups)
        async with stdio_server() as (reading, writing):
            await server.run(AnsweringStream(reading, writing), writing, server.create_initialization_options())
