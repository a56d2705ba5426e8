"""The service in this process, behind a real socket, and clients of two users who know each other's ids."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

import clew
import servers
from clew.service import make_app
from clew.service.serving import listen
from clew.settings import Settings

from ...support import wait_until
from ..scripted import make_server
from .signing import ISSUER, SECRET, KeyServer, bearer, sign

JSON = Any
"""What a reply holds; a test looks into it."""
THREADS = "/api/v1/threads"
SESSIONS = "/api/sessions"


@dataclass
class Api:
    """A service that runs, and those who ask it."""

    base: str
    app: Any
    ada: httpx2.AsyncClient
    eve: httpx2.AsyncClient
    nobody: httpx2.AsyncClient

    def client(self, token: str | None = None) -> httpx2.AsyncClient:
        """Return a client with a token."""
        return client_of(self.base, token)


Serve = Callable[..., Awaitable[Api]]


@functools.cache
def _context() -> ssl.SSLContext:
    """Return one for all clients: to make it takes longer than most tests."""
    return ssl.create_default_context()


def client_of(base: str, token: str | None) -> httpx2.AsyncClient:
    """Return a client of a service."""
    headers = {} if token is None else bearer(token)
    return httpx2.AsyncClient(base_url=base, headers=headers, timeout=30, verify=_context())


@contextlib.asynccontextmanager
async def serving(settings: Settings, *, agent: bool = False) -> AsyncIterator[Api]:
    """Serve for as long as the block lasts: with clew's own agent, or with the scripted one."""
    app = make_app(settings, make_server=None if agent else make_server, grace=1, lease=1.5, beat=0.5)
    with listen("127.0.0.1", 0) as listening:
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", ws="none"))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        await wait_until(lambda: server.started or task.done())
        assert not task.done(), "the service did not start"
        async with contextlib.AsyncExitStack() as stack:
            tokens = (sign("ada"), sign("eve"), None)
            yield Api(base, app, *[await stack.enter_async_context(client_of(base, token)) for token in tokens])
        server.should_exit = True
        await task


@pytest.fixture
async def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serve]:
    """`await serve(url=None, **variables)`: a service with tokens of SECRET; on a file of the test's own for None."""
    async with contextlib.AsyncExitStack() as stack:
        monkeypatch.setenv("CLEW_FILES_URL", "memory://")

        async def start(url: str | None = None, *, agent: bool = False, **variables: str) -> Api:
            given = {"CLEW_JWT_SECRET": SECRET, "CLEW_JWT_ISSUER": ISSUER, **variables}
            env = {"CLEW_URL": url or f"sqlite:///{tmp_path}/clew.db", "CLEW_OWNER": "local", **given}
            env.setdefault("CLEW_FILES_URL", os.environ["CLEW_FILES_URL"])
            return await stack.enter_async_context(serving(Settings.from_env(env, None), agent=agent))

        yield start


@pytest.fixture(params=["sqlite", "redis-8.2"])
async def api(request: pytest.FixtureRequest, serve: Serve) -> Api:
    """A service on each kind of store in turn."""
    if request.param == "sqlite":
        return await serve()
    return await serve(request.getfixturevalue("url_of")(request.param))


@pytest.fixture
async def lone(serve: Serve) -> Api:
    """A service on SQLite."""
    return await serve()


@pytest.fixture
def folder_url(tmp_path: Path) -> str:
    """The URL of a folder for files."""
    return (tmp_path / "files").as_uri()


@pytest.fixture(params=["folder", "s3"])
def files_url(request: pytest.FixtureRequest, folder_url: str) -> str:
    """The URL of an empty place for files, of each kind in turn."""
    if request.param == "folder":
        return folder_url
    bucket: str = request.getfixturevalue("bucket")
    server: servers.ObjectServer = request.getfixturevalue("object_server")
    return server.url(bucket, "chat", timeout=5)


@pytest.fixture
async def filed(serve: Serve, files_url: str, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A service whose files are in a folder, or in a bucket."""
    monkeypatch.setenv("CLEW_FILES_URL", files_url)
    return await serve("memory://")


@pytest.fixture
async def foldered(serve: Serve, folder_url: str, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A service whose files are in a folder, each of at most 100,000 bytes."""
    monkeypatch.setenv("CLEW_FILES_URL", folder_url)
    return await serve("memory://", CLEW_MAX_FILE="100000")


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    """A real server of public keys."""
    server = KeyServer()
    yield server
    server.close()


async def make_thread(client: httpx2.AsyncClient, **body: JSON) -> str:
    """Make a thread, and return its id."""
    reply = await client.post(THREADS, json=body)
    assert reply.status_code == 201, reply.text
    id: str = reply.json()["id"]
    return id


def problem(reply: httpx2.Response) -> str:
    """Return the name of the problem that a reply tells, which is told as RFC 9457 has it."""
    assert reply.headers["content-type"] == "application/problem+json", reply.text
    told = reply.json()
    assert told["status"] == reply.status_code
    assert told["title"]
    assert told["detail"]
    name: str = told["type"].removeprefix("/problems/")
    assert (reply.status_code == 503) <= ("retry-after" in reply.headers)
    return name


@pytest.fixture
async def memory() -> AsyncIterator[clew.Store]:
    """A store in memory."""
    async with clew.connect("memory://") as store:
        yield store
