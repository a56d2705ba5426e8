"""Servers as clients start them: `clew mcp` in a process of its own, or the same server in this one."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from clew.mcp import Opening, Shelves, make_server

JSON = Any
"""What a tool answers; a test looks into it."""
Start = Callable[..., AbstractAsyncContextManager[Client]]
Told = list[str]


class Failed(Exception):
    """A call whose `isError` is true. It is told in the text."""


async def call(client: Client, tool: str, **arguments: JSON) -> JSON:
    """Call a tool, and return its structured answer; Failed where it says that it failed."""
    result = await client.call_tool(tool, arguments)
    text = "".join(getattr(part, "text", "") for part in result.content)
    if result.is_error:
        raise Failed(text)
    return result.structured_content


def said(role: str, *texts: str) -> list[dict[str, str]]:
    """Return messages of one role."""
    return [{"role": role, "content": text} for text in texts]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """`async with start(url, *words, mode="auto", on_message=None) as client`: a `clew mcp` of its own."""

    @contextlib.asynccontextmanager
    async def open_client(url: str, *words: str, mode: str = "auto", on_message: Any = None) -> AsyncIterator[Client]:
        environment = {"HOME": str(tmp_path), "CLEW_URL": url}
        words = ("-W", "error", "-m", "clew.cli", "mcp", *words)
        parameters = StdioServerParameters(command=sys.executable, args=[*words], env=environment, cwd=tmp_path)
        with (tmp_path / "mcp.log").open("a") as log:
            async with Client(stdio_client(parameters, log), mode=mode, message_handler=on_message) as client:
                yield client

    return open_client


def server_of(client: Client) -> int:
    """Return the id of the one process that this test's client started."""
    found = [int(each) for each in os.listdir("/proc") if each.isdigit() and _is_ours(int(each))]
    assert len(found) == 1
    return found[0]


def _is_ours(process: int) -> bool:
    try:
        parent = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        return parent == os.getpid() and b"clew.cli" in Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(params=["sqlite", "redis-8.2"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store, on both engines in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/clew.db"
    url_of: Callable[[str], str] = request.getfixturevalue("url_of")
    return url_of(request.param)


@pytest.fixture
async def opening(url: str) -> AsyncIterator[Opening]:
    """The store, opened when it is needed."""
    async with Opening(url) as made:
        yield made


@pytest.fixture
def as_owner(opening: Opening, url: str) -> Start:
    """`async with as_owner("ada") as client`: the server in this process, for this owner."""

    @contextlib.asynccontextmanager
    async def open_client(owner: str, *, bare: bool = False, mode: str = "auto") -> AsyncIterator[Client]:
        server = make_server(opening.store, lambda context: owner, shelves=Shelves.of(url, bare=bare))
        async with Client(server, mode=mode) as client:
            yield client

    return open_client
