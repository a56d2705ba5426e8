"""A program of its own: the service as `clew serve` runs it, or the same framework with one endpoint that does one RPUSH.

    python -m bench.service.program subject|floor REDIS_URL

It prints the address that it serves, and ends when it is told to. Both run under the same settings of the same server.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from clew.service.serving import run, serve
from clew.settings import Settings

from .place import FLOOR, SECRET


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def serve_subject(url: str) -> None:
    """Serve clew with tokens, and everything else as it is by default but for the rate: one caller is all the load here."""
    variables = {"CLEW_URL": url, "CLEW_JWT_SECRET": SECRET, "CLEW_RATE": "1000000", "CLEW_FILES_URL": "memory://"}
    serve(Settings.from_env(variables, None), "127.0.0.1", 0, tell=say)


def make_floor(url: str, links: int) -> Starlette:
    """Return an application whose one endpoint pushes what it is sent, and answers with Redis's reply.

    Args:
        links: connections to Redis at most, which callers wait for.
    """
    parts = urlsplit(url)
    pool: redis.BlockingConnectionPool = redis.BlockingConnectionPool(
        max_connections=links,
        timeout=None,
        host=parts.hostname,
        port=parts.port,
        protocol=2,
        socket_timeout=None,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
    )
    client: redis.Redis = redis.Redis.from_pool(pool)

    async def push(request: Request) -> Response:
        return JSONResponse(await client.rpush("floor", await request.body()), 201)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    return Starlette(routes=[Route(FLOOR, push, methods=["POST"])], lifespan=lifespan)


def main(arguments: Sequence[str]) -> None:
    """Serve until told to end."""
    kind, url, *links = arguments
    if kind == "subject":
        serve_subject(url)
    else:
        run(make_floor(url, int(links[0])), "127.0.0.1", 0, say)


if __name__ == "__main__":
    main(sys.argv[1:])
