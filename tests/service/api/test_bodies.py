"""Bodies of any size and kind: kept whole, or refused as the request's fault before much of them is taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from clew.service.application import OPERATIONS

from .conftest import THREADS, Api, make_thread, problem
from .signing import sign

MB = 1024 * 1024
BROKEN = (
    b"",
    b"\x00",
    b"{",
    b"nul",
    b'{"a": 1}x',
    b'"\xff"',
    b'{"\xc3": 1}',
    b"[" * 100_000,
    b'{"title": "\\ud800"}',
    b"\xef\xbb\xbf{}",
)
JSON_TYPE = {"content-type": "application/json"}


async def test_a_body_that_is_no_json_is_the_requests_fault_at_every_address(lone: Api) -> None:
    mine = await make_thread(lone.ada, items=[{"id": "a", "data": 1}])
    asked = 0
    for operation in OPERATIONS:
        if operation.body is None:
            continue
        path = operation.path.format(thread=mine, item="a", session=mine)
        for body in BROKEN:
            reply = await lone.ada.request(operation.method, path, content=body, headers=JSON_TYPE)
            assert (path, body[:20], problem(reply), reply.status_code) == (path, body[:20], "invalid", 400)
            asked += 1
    assert asked >= 9 * len(BROKEN)
    assert (await lone.ada.get(f"{THREADS}/{mine}")).json()["revision"] == 1


async def test_a_large_item_is_kept_byte_for_byte(api: Api) -> None:
    mine = await make_thread(api.ada)
    text = b'"' + "x\u00e9\U0001f600".encode() * (MB // 7) + b'"'
    body = b'{"items": [{"id": "large", "data": ' + text + b"}]}"
    assert (await api.ada.post(f"{THREADS}/{mine}/items", content=body, headers=JSON_TYPE)).status_code == 201
    assert b'"data":' + text in (await api.ada.get(f"{THREADS}/{mine}/items/large")).content


async def test_a_body_of_a_hundred_megabytes_is_refused_before_it_is_sent(lone: Api) -> None:
    port = int(lone.base.rpartition(":")[2])
    for path in (THREADS, "/chatkit", "/api/sessions", "/api/v1/chat", "/api/files/user/large.txt"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"{'PUT' if 'files' in path else 'POST'} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {100 * MB}\r\n"
        writer.write(f"{head}authorization: Bearer {sign('ada')}\r\n\r\n".encode())
        async with asyncio.timeout(20):
            told = await reader.readuntil(b"\r\n\r\n")
        assert told.startswith(b"HTTP/1.1 413 "), (path, told)
        writer.close()
        await writer.wait_closed()


async def test_a_hundred_megabytes_that_do_not_say_how_many_they_are_are_refused_and_not_kept(lone: Api) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"title": "'
        for _ in range(100):
            yield b"x" * MB
        yield b'"}'

    reply = await lone.ada.post(THREADS, content=pieces(), headers=JSON_TYPE)
    assert problem(reply) == "too-large"
    assert (await lone.ada.get(THREADS)).json()["data"] == []
