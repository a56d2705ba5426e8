"""Attachments whose bucket does not answer: everybody is told so, nothing is half done, and trying again finishes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

import clew
import servers
from clew import NotFoundError, Store, UnavailableError
from clew.adapters.chatkit import ChatKitStore, StoreAwayError
from clew.adapters.chatkit.attachments import ClewAttachmentStore
from clew.files import Files, connect_files

from .driver import ADA, Context, Server, ask, start

TEXT = b"some notes"


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with clew.connect("memory://") as opened:
        yield opened


@pytest.fixture
async def files(object_server: servers.ObjectServer, bucket: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Files]:
    monkeypatch.setattr("clew.files.s3.SLOWEST", 64 * 1024 * 1024)
    async with connect_files(object_server.url(bucket, timeout=1)) as opened:
        yield opened


@pytest.fixture
def attachments(store: Store, files: Files) -> ClewAttachmentStore[Context]:
    return ClewAttachmentStore(store, files, url="https://chat.example/attachments")


@pytest.fixture
def server(store: Store, attachments: ClewAttachmentStore[Context]) -> Server:
    return Server(ChatKitStore(store, attachments=attachments))


@contextmanager
def away(object_server: servers.ObjectServer) -> Iterator[None]:
    object_server.pause()
    try:
        yield
    finally:
        object_server.resume()


async def announce(server: Server) -> str:
    made = await ask(server, "attachments.create", ADA, name="a.txt", size=len(TEXT), mime_type="text/plain")
    id: str = made["id"]
    return id


async def test_an_upload_is_refused_and_may_be_repeated(
    server: Server, attachments: ClewAttachmentStore[Context], object_server: servers.ObjectServer
) -> None:
    id = await announce(server)
    with away(object_server):
        with pytest.raises(UnavailableError):
            await attachments.receive(id, "ada", None, TEXT)
        with pytest.raises(UnavailableError):
            await attachments.download(id, "ada")
    await attachments.receive(id, "ada", None, TEXT)
    assert await (await attachments.download(id, "ada")).reading.read() == TEXT


async def test_what_is_deleted_meanwhile_stays_until_it_is_deleted_again(
    server: Server, attachments: ClewAttachmentStore[Context], object_server: servers.ObjectServer, files: Files
) -> None:
    ids = [await announce(server) for _ in range(2)]
    for id in ids:
        await attachments.receive(id, "ada", None, TEXT)
    thread_id = await start(server, ADA, attachments=ids[:1])
    with away(object_server):
        with pytest.raises(StoreAwayError):
            await ask(server, "threads.delete", ADA, thread_id=thread_id)
        with pytest.raises(StoreAwayError):
            await ask(server, "attachments.delete", ADA, attachment_id=ids[1])
    assert (await ask(server, "threads.get_by_id", ADA, thread_id=thread_id))["id"] == thread_id
    for id in ids:
        assert await (await attachments.download(id, "ada")).reading.read() == TEXT
    await ask(server, "threads.delete", ADA, thread_id=thread_id)
    await ask(server, "attachments.delete", ADA, attachment_id=ids[1])
    assert len(await files.list(("attachments",))) == 0
    for id in ids:
        with pytest.raises(NotFoundError):
            await attachments.download(id, "ada")
