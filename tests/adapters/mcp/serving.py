"""Applications served over HTTP in this process, and sessions of the protocol of 2025-11-25 by hand, as no client shows them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette

from ...support import wait_until

JSON = Any
"""What a message holds; a test looks into it."""


@contextlib.asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[str]:
    """Serve an application, and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", ws="none"))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        await wait_until(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


class Session:
    """A session, whose client loses its streams and comes back for the rest."""

    def __init__(self, http: httpx2.AsyncClient, headers: dict[str, str]) -> None:
        self._http = http
        self._headers = headers
        self.last = ""
        """The id of the event heard last."""

    @classmethod
    async def open(cls, http: httpx2.AsyncClient) -> Session:
        """Start a session."""
        headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
        about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        reply = await http.post("/mcp", json=_request(0, "initialize", about), headers=headers)
        assert reply.status_code == 200, reply.text
        session = cls(http, {**headers, "mcp-session-id": reply.headers["mcp-session-id"]})
        initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await http.post("/mcp", json=initialized, headers=session._headers)
        return session

    async def call(self, tool: str, **arguments: JSON) -> list[JSON]:
        """Call a tool by the request id 7, as every client may, and return what comes until the stream ends."""
        params = {"name": tool, "arguments": arguments, "_meta": {"progressToken": 1}}
        async with self._http.stream("POST", "/mcp", json=_request(7, "tools/call", params), headers=self._headers) as response:
            return await self._hear(response)

    async def resume(self, last: str, *, begun: asyncio.Event | None = None) -> list[JSON]:
        """Return what comes after an event, until the answer or the end of the stream. `begun` is set by the first that comes, or
        by the id with which the stream goes on where nothing has."""
        async with self._http.stream("GET", "/mcp", headers={**self._headers, "last-event-id": last}) as response:
            return await self._hear(response, begun)

    async def _hear(self, response: httpx2.Response, begun: asyncio.Event | None = None) -> list[JSON]:
        told: list[JSON] = []
        async with asyncio.timeout(10):
            async for line in response.aiter_lines():
                name, _, text = line.partition(": ")
                if name == "id":
                    self.last = text
                    if begun is not None:
                        begun.set()
                elif name == "data" and text:
                    told.append(json.loads(text))
                    if "result" in told[-1]:
                        break
        return told


def texts_of(told: list[JSON]) -> list[str]:
    """Return what progress and answers say."""
    return [each["params"]["message"] if "params" in each else each["result"]["content"][0]["text"] for each in told]


def _request(id: int, method: str, params: JSON) -> JSON:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
