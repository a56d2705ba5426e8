"""What the tests of files ask: to write one, to list some, and to send what no client would send."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2

from .conftest import Api
from .signing import sign

FILES = "/api/files"
USER = f"{FILES}/user"
BLUE = f"{FILES}/team/blue"
SYSTEM = f"{FILES}/system"


async def put(client: httpx2.AsyncClient, address: str, data: Any = b"x", **headers: str) -> str:
    """Write a file, and return its ETag; the underscores of headers are hyphens."""
    reply = await client.put(address, content=data, headers=hyphened(headers))
    assert reply.status_code == 200, reply.text
    assert reply.headers["etag"] == reply.json()["etag"]
    return reply.headers["etag"]


def hyphened(headers: dict[str, str]) -> dict[str, str]:
    """Return headers with hyphens for underscores."""
    return {name.replace("_", "-"): text for name, text in headers.items()}


async def listed(client: httpx2.AsyncClient, address: str = USER, **query: str) -> list[str]:
    """Return the paths of a listing."""
    reply = await client.get(address, params=query)
    assert reply.status_code == 200, reply.text
    return [entry["path"] for entry in reply.json()["data"]]


def quoted(name: str) -> str:
    """Return a name as one part of an address."""
    return "".join(f"%{byte:02x}" for byte in name.encode())


async def send_raw(api: Api, method: str, target: str, *headers: str, body: bytes = b"") -> tuple[int, bytes]:
    """Send a request whose address no client mends, as ada, and return the answer's status and body."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(api.base.rpartition(":")[2]))
        try:
            lines = [
                f"{method} {target} HTTP/1.1",
                "host: localhost",
                "connection: close",
                f"authorization: Bearer {sign('ada', teams=['blue'])}",
                f"content-length: {len(body)}",
                *headers,
            ]
            writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            head, _, rest = (await reader.read()).partition(b"\r\n\r\n")
            return int(head.split(b" ")[1]), rest
        finally:
            writer.close()
            await writer.wait_closed()
