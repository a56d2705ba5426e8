"""Uploads of files that go wrong: too long, too slow, left in the middle, or while the bucket is away. Nothing of them stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import servers

from ...support import wait_until
from .conftest import Api, Serve, problem
from .filing import USER, listed, put
from .signing import sign

HERE = f"{USER}/a.md"


@asynccontextmanager
async def uploading(api: Api, *headers: str, body: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Send the head of an upload and the beginning of its body as ada, and yield the connection when it is worked on."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(api.base.rpartition(":")[2]))
        try:
            lines = [f"PUT {HERE} HTTP/1.1", "host: localhost", f"authorization: Bearer {sign('ada')}", *headers, "", ""]
            writer.write("\r\n".join(lines).encode() + body)
            await wait_until(lambda: api.app.state.limits.working == 1)
            yield reader, writer
        finally:
            writer.close()


@pytest.mark.parametrize("before", [b"what was there", None], ids=["another file", "no file"])
async def test_an_upload_that_its_sender_leaves_writes_nothing(
    filed: Api, files_url: str, tmp_path: Path, before: bytes | None
) -> None:
    if before is not None:
        await put(filed.ada, HERE, before)
    half = b"x" * 9_000_000
    for headers, body in (
        (["content-length: 18000000"], half),
        (["transfer-encoding: chunked"], b"%x\r\n%b\r\n" % (len(half), half)),
        (["content-length: 100", "if-none-match: *"], b"half"),
        (["content-length: 100"], b""),
    ):
        async with uploading(filed, *headers, body=body) as (_, writer):
            await writer.drain()
        await wait_until(lambda: filed.app.state.limits.working == 0)
        assert await listed(filed.ada) == ([] if before is None else ["a.md"])
        assert before is None or (await filed.ada.get(HERE)).content == before
    if files_url.startswith("file:"):
        assert list((tmp_path / "files/.clew/unfinished").iterdir()) == []


async def test_an_upload_that_comes_to_a_halt_is_given_up(foldered: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clew.service.limiting.BODY_S", 0.1)
    async with uploading(foldered, "content-length: 100", body=b"half") as (reader, _):
        assert b" 408 " in await reader.readline()
    assert await listed(foldered.ada) == []


async def test_a_slow_upload_holds_up_nobody_and_is_seen_when_it_is_whole(foldered: Api) -> None:
    await put(foldered.ada, HERE, b"before")
    async with uploading(foldered, "content-length: 10", body=b"01234") as (reader, writer):
        assert (await foldered.ada.get(HERE)).text == "before"
        await put(foldered.ada, HERE, b"meanwhile")
        writer.write(b"5678")
        assert (await foldered.ada.get(HERE)).text == "meanwhile"
        writer.write(b"9")
        assert b" 200 " in await reader.readline()
    assert (await foldered.ada.get(HERE)).text == "0123456789"


async def test_a_reader_who_leaves_holds_nothing_open(filed: Api) -> None:
    await put(filed.ada, HERE, b"x" * 30_000_000)
    for _ in range(3):
        async with filed.ada.stream("GET", HERE) as reply:
            await anext(reply.aiter_raw())
        await wait_until(lambda: filed.app.state.limits.working == 0)
    assert (await filed.ada.delete(HERE)).status_code == 204


async def test_a_file_that_is_too_long_is_refused_however_it_is_sent(
    serve: Serve, folder_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEW_FILES_URL", folder_url)
    api = await serve("memory://", CLEW_MAX_FILE="100000", CLEW_MAX_BODY="1024")

    async def pieces(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"x" * 10_000

    for content in (b"x" * 100_001, pieces(11), b"x" * 30_000_000):
        reply = await api.ada.put(HERE, content=content)
        assert (reply.status_code, problem(reply)) == (413, "too-large")
    assert await listed(api.ada) == []
    # It is no body of another kind, whose limit is lower here.
    await put(api.ada, HERE, pieces(10))
    await put(api.ada, HERE, b"x" * 100_000)
    await put(api.ada, HERE, b"")
    assert (await api.ada.get(HERE)).content == b""


async def test_what_would_not_be_kept_as_it_is_meant_is_refused(foldered: Api) -> None:
    refused = {
        "content-encoding": ("gzip", 415, "media-type"),
        "content-type": ("multipart/form-data; boundary=x", 415, "media-type"),
        "content-range": ("bytes 0-3/10", 400, "invalid"),
    }
    for name, (value, status, told) in refused.items():
        reply = await foldered.ada.put(HERE, content=b"x", headers={name: value})
        assert (name, reply.status_code, problem(reply)) == (name, status, told)
    reply = await foldered.ada.put(HERE, params={"team": "blue"}, content=b"x")
    assert (reply.status_code, problem(reply)) == (400, "invalid")
    for method, address in (("POST", USER), ("PUT", USER), ("DELETE", USER), ("POST", HERE), ("PATCH", HERE)):
        reply = await foldered.ada.request(method, address, content=b"x")
        assert (method, address, reply.status_code, problem(reply)) == (method, address, 405, "method")
    assert await listed(foldered.ada) == []


async def test_while_the_folder_is_away_nothing_in_it_is_said_to_be_gone(foldered: Api, tmp_path: Path) -> None:
    await put(foldered.ada, HERE, b"kept")
    root, away = tmp_path / "files", tmp_path / "away"
    root.rename(away)
    # As a share that is not mounted.
    root.mkdir()
    for method, path in (("GET", USER), ("GET", HERE), ("DELETE", HERE), ("PUT", HERE)):
        reply = await foldered.ada.request(method, path)
        assert (method, path, reply.status_code, problem(reply)) == (method, path, 503, "unavailable")
    ready = await foldered.nobody.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]["files"] != "ok") == (503, True)
    root.rmdir()
    away.rename(root)
    assert ((await foldered.ada.get(HERE)).content, (await foldered.nobody.get("/readyz")).status_code) == (b"kept", 200)


async def test_while_the_bucket_is_away_the_truth_is_told_and_then_all_goes_on(
    serve: Serve, object_server: servers.ObjectServer, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEW_FILES_URL", object_server.url(bucket, timeout=0.5))
    api = await serve("memory://")
    etag = await put(api.ada, HERE, b"before")
    asks: list[tuple[str, str, dict[str, str]]] = [
        ("GET", USER, {}), ("GET", HERE, {}), ("GET", HERE, {"if-none-match": etag}), ("GET", HERE, {"range": "bytes=0-1"}),
        ("PUT", HERE, {}), ("PUT", HERE, {"if-match": etag}), ("PUT", HERE, {"if-match": "*"}), ("DELETE", HERE, {}),
        ("DELETE", HERE, {"if-match": etag}),
    ]  # fmt: skip
    object_server.pause()
    try:
        replies = await asyncio.gather(
            *(
                api.ada.request(method, path, headers=headers, content=b"" if method == "PUT" else None)
                for method, path, headers in asks
            )
        )
        for ask, reply in zip(asks, replies, strict=True):
            assert (ask, reply.status_code, problem(reply)) == (ask, 503, "unavailable")
            assert object_server.endpoint.rpartition(":")[2] not in reply.text
        assert (await api.ada.head(HERE)).status_code == 503
        assert (await api.nobody.get("/readyz")).json()["checks"]["files"] != "ok"
    finally:
        object_server.resume()

    async def is_back() -> bool:
        return (await api.ada.get(USER)).status_code == 200

    await wait_until(is_back, 30)
    # A write that nobody answered may still come through, with what it was sent with.
    assert (await api.ada.put(HERE, content=b"after")).status_code == 200
