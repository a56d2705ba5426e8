"""The ASGI application: its routes, its life, and how an error is told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ..errors import ClewError
from ..settings import Settings
from . import chat_api, endpoints, files_api, items_api, openapi, problems, runs_api, sessions_api, threads_api
from .door import Door, Gate
from .guarding import Guard
from .limiting import Limiting, Limits
from .logs import Logging, write_json
from .mcp_api import PATH as MCP
from .mcp_api import Endpoint, Mcp
from .operations import routes_of
from .room import MakeServer, Room
from .seeing import Seeing, Sight

logger = logging.getLogger("clew.service")

STATIC: Final = Path(__file__).parent / "static"
OPERATIONS: Final = (
    *sessions_api.OPERATIONS,
    *threads_api.OPERATIONS,
    *items_api.OPERATIONS,
    *runs_api.OPERATIONS,
    *files_api.OPERATIONS,
    *chat_api.OPERATIONS,
)
"""The HTTP API: what is served, and what the OpenAPI document describes."""
GRACE_S: Final = 10.0
"""How long answers may go on when a worker is told to end."""
LEASE_S: Final = 15.0
BEAT_S: Final = 15.0


def make_app(
    settings: Settings | None = None,
    *,
    make_server: MakeServer | None = None,
    grace: float = GRACE_S,
    lease: float = LEASE_S,
    beat: float = BEAT_S,
) -> Starlette:
    """Return the application. Nothing is opened before it starts.

    Args:
        settings: which store, and whose; the environment's for None, read when it starts.
        make_server: makes the ChatKit server behind the page; the search agent over clew's documentation for None.
        grace: seconds that answers may go on when the worker is told to end.
        lease: seconds until the answer of a worker that died counts as interrupted.
        beat: seconds of silence after which a stream sends a comment.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        chosen = settings or Settings.from_env()
        if chosen.log == "json":
            write_json()
        app.state.sight = sight = Sight(chosen)
        room = Room(chosen, make_server, lease=lease, beat=beat, url=sight.url)
        app.state.gate = Gate(chosen, lambda: room.near_store)
        app.state.limits = Limits(chosen.access)
        await room.open()
        app.state.room = room
        app.state.mcp = mcp = Mcp(room, chosen, beat=beat)
        try:
            with _hearing_the_end(room.close_readers, mcp.close_streams):
                async with mcp.run(), sight.run(app.state.limits):
                    logger.info("this worker takes requests", extra={"event": "started"})
                    yield
        finally:
            logger.info("this worker ends: answers have %g seconds", grace, extra={"event": "stopping"})
            await room.aclose(grace)
            logger.info("this worker has ended", extra={"event": "stopped"})

    app = Starlette(
        routes=[
            # First what is asked for most: the routes are tried in this order.
            *routes_of(OPERATIONS),
            Route("/", _page),
            Route("/chatkit", endpoints.chatkit, methods=["POST"]),
            Route("/openapi.json", openapi.serve(OPERATIONS)),
            Route("/api/v1/attachments/{id}", endpoints.upload, methods=["PUT"]),
            Route("/api/v1/attachments/{id}", endpoints.download),
            Route(MCP, Endpoint(), methods=["GET", "POST", "DELETE"]),
            Route("/healthz", endpoints.healthz),
            Route("/readyz", endpoints.readyz),
            Route("/metrics", endpoints.metrics),
            Route("/problems/{name}", problems.explain),
            Mount("/static", _Static(directory=STATIC)),
        ],
        middleware=[Middleware(Seeing), Middleware(Logging), Middleware(Guard), Middleware(Door), Middleware(Limiting)],
        exception_handlers={ClewError: problems.tell, HTTPException: problems.tell, Exception: problems.tell},
        lifespan=lifespan,
    )
    # An address with an empty id is none, and no other one.
    app.router.redirect_slashes = False
    return app


class _Static(StaticFiles):
    def file_response(self, *args: Any, **more: Any) -> Response:  # as the base class has it
        response = super().file_response(*args, **more)
        # A page of yesterday with the scripts of today breaks: each is asked for each time, and mostly answered 304.
        response.headers["cache-control"] = "no-cache"
        return response


async def _page(request: Request) -> Response:
    return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})


@contextlib.contextmanager
def _hearing_the_end(*ends: Callable[[], None]) -> Iterator[None]:
    """End every open response as soon as the process is told to end: the server waits for them before anything else."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}

    def hear(number: int, frame: FrameType | None) -> None:
        for end in ends:
            loop.call_soon_threadsafe(end)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    ours = [each for each, handler in before.items() if callable(handler)]
    for each in ours:
        signal.signal(each, hear)
    try:
        yield
    finally:
        for each in ours:
            if signal.getsignal(each) is hear:
                signal.signal(each, before[each])
