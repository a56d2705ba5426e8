"""Attachments as ChatKit's server and a service use them: announced, received, sent, downloaded, deleted, expired."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from chatkit.store import NotFoundError as ChatKitNotFoundError
from chatkit.types import AttachmentCreateParams, FileAttachment, ImageAttachment

import servers
from clew import AlreadyExistsError, GoneError, InvalidError, NotFoundError, Store
from clew.adapters.chatkit import ChatKitStore
from clew.adapters.chatkit.attachments import UNSENT, ClewAttachmentStore, TooLargeError, WrongTypeError
from clew.files import Files, connect_files

from .driver import ADA, BOB, Context, Server, ask, kinds, play, says, start

URL = "https://chat.example/attachments"
TEXT = b"some notes\n" * 100
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
Announce = Callable[..., Any]


@pytest.fixture(params=["sqlite", "redis-8.2"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """The URL of an empty store, of each engine that lasts."""
    return url_of(request.param)


@pytest.fixture(params=["folder", "s3"])
async def files(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Files]:
    """An empty file store, of each kind that lasts."""
    if request.param == "folder":
        url = (tmp_path / "files").as_uri()
    else:
        server: servers.ObjectServer = request.getfixturevalue("object_server")
        url = server.url(request.getfixturevalue("bucket"), "chat")
    async with connect_files(url) as opened:
        yield opened


@pytest.fixture
def attachments(store: Store, files: Files) -> ClewAttachmentStore[Context]:
    return ClewAttachmentStore(store, files, url=URL)


@pytest.fixture
def kit(store: Store, attachments: ClewAttachmentStore[Context]) -> ChatKitStore[Context]:
    return ChatKitStore(store, attachments=attachments)


async def announce(server: Server, context: Context = ADA, name: str = "notes.txt", data: bytes = TEXT, type: str = "") -> Any:
    """Ask for a place for a file, as a client does, and return the attachment as it is sent."""
    return await ask(server, "attachments.create", context, name=name, size=len(data), mime_type=type)


async def attach(
    server: Server, files: ClewAttachmentStore[Context], context: Context = ADA, name: str = "notes.txt", data: bytes = TEXT
) -> str:
    """Announce a file and send it, and return the attachment's id."""
    id: str = (await announce(server, context, name, data))["id"]
    await files.receive(id, context["owner"], None, data)
    return id


async def read(files: ClewAttachmentStore[Context], id: str, owner: str = "ada") -> bytes:
    return await (await files.download(id, owner)).reading.read()


async def count(files: Files) -> int:
    """Return how many attachments have bytes."""
    return len(await files.list(("attachments",)))


# -- the two phases -----------------------------------------------------------------------------------------------------


async def test_a_file_is_announced_sent_attached_and_downloaded(
    server: Server, attachments: ClewAttachmentStore[Context], kit: ChatKitStore[Context]
) -> None:
    made = await announce(server, type="text/plain")
    assert made["type"] == "file"
    assert made["upload_descriptor"] == {"url": f"{URL}/{made['id']}", "method": "PUT", "headers": {"content-type": "text/plain"}}
    assert "metadata" not in made
    assert len(made["id"]) == len("atc_") + 32

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(TEXT), 7):
            yield TEXT[at : at + 7]

    done = await attachments.receive(made["id"], "ada", "text/plain; charset=utf-8", chunks())
    assert done.upload_descriptor is None
    thread_id = await start(server, ADA, "look", attachments=[made["id"]])
    message = (await kit.load_thread_items(thread_id, None, 1, "asc", ADA)).data[0]
    assert [each.id for each in message.attachments] == [made["id"]]  # type: ignore[union-attr]  # it is a user's message
    download = await attachments.download(made["id"], "ada")
    assert (download.name, download.content_type) == ("notes.txt", "text/plain")
    assert download.headers["content-length"] == str(len(TEXT))
    assert await download.reading.read() == TEXT
    part = await attachments.download(made["id"], "ada", start=5, length=10)
    assert part.headers["content-length"] == "10"
    assert await part.reading.read() == TEXT[5:15]


async def test_a_picture_has_a_preview_at_the_place_of_its_bytes(
    server: Server, attachments: ClewAttachmentStore[Context]
) -> None:
    made = await announce(server, name="a cat.png", data=PNG, type="image/png")
    assert (made["type"], made["preview_url"]) == ("image", f"{URL}/{made['id']}")
    assert isinstance(await attachments.receive(made["id"], "ada", "image/png", PNG), ImageAttachment)
    download = await attachments.download(made["id"], "ada")
    assert download.headers["content-disposition"] == "inline; filename*=UTF-8''a%20cat.png"
    assert await download.reading.read() == PNG


async def test_what_a_browser_could_run_is_never_shown_in_a_page(
    server: Server, attachments: ClewAttachmentStore[Context]
) -> None:
    page = b"<script>alert(1)</script>"
    id = (await announce(server, name='"x".html\u2028'[:-1], data=page, type="text/html"))["id"]
    await attachments.receive(id, "ada", "text/html", page)
    download = await attachments.download(id, "ada")
    await download.reading.aclose()
    headers = download.headers
    assert headers["content-disposition"].startswith("attachment; filename*=UTF-8''%22x%22.html")
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert all(value.isascii() and value.isprintable() for value in headers.values())


async def test_the_url_may_depend_on_the_request(store: Store, files: Files) -> None:
    attachments = ClewAttachmentStore[Context](store, files, url=lambda id, context: f"https://{context['host']}/up/{id}")
    params = AttachmentCreateParams(name="a.txt", size=1, mime_type="text/plain")
    made = await attachments.create_attachment(params, ADA | {"host": "one.example"})
    assert made.upload_descriptor is not None
    assert str(made.upload_descriptor.url) == f"https://one.example/up/{made.id}"


@pytest.mark.parametrize(
    ("name", "said", "type"),
    [
        ("notes.md", "", "text/markdown"),
        ("notes.md", "application/octet-stream", "text/markdown"),
        ("DATA.CSV", "", "text/csv"),
        ("photo.jpeg", "", "image/jpeg"),
        ("notes", "TEXT/Plain; charset=utf-8", "text/plain"),
    ],
)
async def test_a_type_that_is_not_said_is_read_from_the_name(server: Server, name: str, said: str, type: str) -> None:
    assert (await announce(server, name=name, type=said))["mime_type"] == type


# -- what is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size", "type", "error"),
    [
        ("a.txt", 1001, "text/plain", TooLargeError),
        ("a.txt", -1, "text/plain", InvalidError),
        ("a.exe", 5, "application/x-msdownload", WrongTypeError),
        ("a.svg", 5, "image/svg+xml", WrongTypeError),
        ("unknown", 5, "", WrongTypeError),
        ("a.txt", 5, "no type", InvalidError),
        ("a.txt", 5, "text/plain\r\nx: y", InvalidError),
        ("", 5, "text/plain", InvalidError),
        ("a\nb.txt", 5, "text/plain", InvalidError),
        ("a" * 256, 5, "text/plain", InvalidError),
        ("\ud800.txt", 5, "text/plain", InvalidError),
    ],
)
async def test_an_announcement_of_what_is_not_taken_is_refused(
    store: Store, files: Files, name: str, size: int, type: str, error: type[Exception]
) -> None:
    attachments = ClewAttachmentStore[Context](store, files, url=URL, most=1000)
    params = AttachmentCreateParams.model_construct(name=name, size=size, mime_type=type)
    with pytest.raises(error):
        await attachments.create_attachment(params, ADA)


@pytest.mark.parametrize("size", [0, 1, len(TEXT) - 1, len(TEXT) + 1, 5_000_000])
async def test_more_or_less_than_was_announced_is_refused_and_not_kept(
    server: Server, attachments: ClewAttachmentStore[Context], files: Files, size: int
) -> None:
    id = (await announce(server))["id"]
    with pytest.raises(TooLargeError if size > len(TEXT) else InvalidError, match="announced"):
        await attachments.receive(id, "ada", None, b"x" * size)
    with pytest.raises(NotFoundError):
        await attachments.download(id, "ada")
    assert await count(files) == 0
    await attachments.receive(id, "ada", None, TEXT)
    assert await read(attachments, id) == TEXT


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", TEXT),
        ("a.png", b"\xff\xd8\xff" + PNG),
        ("a.txt", PNG),
        ("a.txt", b"MZ\x90\0"),
        ("a.pdf", TEXT),
        ("a.json", b"\0"),
    ],
)
async def test_a_file_that_is_not_what_it_says_is_refused(
    server: Server, attachments: ClewAttachmentStore[Context], files: Files, name: str, data: bytes
) -> None:
    id = (await announce(server, name=name, data=data))["id"]
    with pytest.raises(WrongTypeError, match="says"):
        await attachments.receive(id, "ada", None, data)
    assert await count(files) == 0


async def test_a_file_that_is_sent_as_another_type_is_refused(server: Server, attachments: ClewAttachmentStore[Context]) -> None:
    id = (await announce(server))["id"]
    with pytest.raises(WrongTypeError):
        await attachments.receive(id, "ada", "image/png", TEXT)


async def test_an_empty_file_is_a_file(server: Server, attachments: ClewAttachmentStore[Context]) -> None:
    id = await attach(server, attachments, data=b"")
    assert await read(attachments, id) == b""


async def test_bytes_may_come_again_until_a_message_has_them(server: Server, attachments: ClewAttachmentStore[Context]) -> None:
    id = await attach(server, attachments)
    await attachments.receive(id, "ada", None, TEXT[::-1])
    await start(server, ADA, attachments=[id])
    with pytest.raises(AlreadyExistsError):
        await attachments.receive(id, "ada", None, TEXT)
    assert await read(attachments, id) == TEXT[::-1]


# -- owners -------------------------------------------------------------------------------------------------------------


async def test_another_owner_neither_reads_nor_writes_nor_deletes_it(
    server: Server, attachments: ClewAttachmentStore[Context], kit: ChatKitStore[Context]
) -> None:
    waiting = (await announce(server))["id"]
    id = await attach(server, attachments)
    for each in (waiting, id):
        with pytest.raises(NotFoundError):
            await attachments.receive(each, "bob", None, TEXT)
    with pytest.raises(NotFoundError):
        await attachments.download(id, "bob")
    await ask(server, "attachments.delete", BOB, attachment_id=id)
    assert await read(attachments, id) == TEXT
    with pytest.raises(ChatKitNotFoundError):
        await kit.load_attachment(id, BOB)


async def test_an_owners_name_reaches_nobody_elses_files(
    server: Server, attachments: ClewAttachmentStore[Context], files: Files
) -> None:
    owners = [
        "ada",
        "../ada",
        "ada/..",
        "a/da",
        ".",
        "..",
        "\0",
        "\u00e9" * 200,
        "e\u0301",
        "sha256:" + "0" * 64,
        "ADA",
        "x" * 500,
    ]
    ids = {owner: await attach(server, attachments, {"owner": owner}, data=owner.encode()) for owner in owners[:6] + owners[7:]}
    ids |= {"\0": await attach(server, attachments, {"owner": "\0"}, name="a.bin.md", data=b"nul")}
    for owner, id in ids.items():
        assert await read(attachments, id, owner) == (owner.encode() if owner != "\0" else b"nul")
        for other in owners:
            if other != owner:
                with pytest.raises(NotFoundError):
                    await attachments.download(id, other)
    assert await attachments.delete_all("..") == 1
    assert await count(files) == len(owners) - 1


@pytest.mark.parametrize("id", ["../x", "atc_none", "", "\0", "x" * 600, "\ud800"], ids=ascii)
async def test_a_strange_id_is_not_found(attachments: ClewAttachmentStore[Context], id: str) -> None:
    with pytest.raises((NotFoundError, InvalidError)):
        await attachments.receive(id, "ada", None, TEXT)
    with pytest.raises((NotFoundError, InvalidError)):
        await attachments.download(id, "ada")


# -- the end of them ----------------------------------------------------------------------------------------------------


async def test_a_thread_that_is_deleted_takes_its_attachments_along(
    server: Server, attachments: ClewAttachmentStore[Context], files: Files, kit: ChatKitStore[Context]
) -> None:
    ids = [await attach(server, attachments, name=f"{n}.txt") for n in range(3)]
    kept = await attach(server, attachments)
    thread_id = await start(server, ADA, attachments=ids[:2])
    await play(server, "threads.add_user_message", ADA, thread_id=thread_id, input=says("more", attachments=ids[2:]))
    await start(server, ADA, attachments=[kept])
    await ask(server, "threads.delete", ADA, thread_id=thread_id)
    assert await count(files) == 1
    assert await read(attachments, kept) == TEXT
    for id in ids:
        with pytest.raises(ChatKitNotFoundError):
            await kit.load_attachment(id, ADA)


async def test_an_attachment_that_is_deleted_is_gone(
    server: Server, attachments: ClewAttachmentStore[Context], files: Files
) -> None:
    id = await attach(server, attachments)
    for _ in range(2):
        await ask(server, "attachments.delete", ADA, attachment_id=id)
    assert await count(files) == 0
    with pytest.raises(NotFoundError):
        await attachments.receive(id, "ada", None, TEXT)


async def test_an_attachment_that_is_deleted_while_it_arrives_leaves_nothing(
    server: Server, attachments: ClewAttachmentStore[Context], files: Files
) -> None:
    id = (await announce(server))["id"]

    async def slow() -> AsyncIterator[bytes]:
        yield TEXT[:5]
        await ask(server, "attachments.delete", ADA, attachment_id=id)
        yield TEXT[5:]

    with pytest.raises(NotFoundError):
        await attachments.receive(id, "ada", None, slow())
    assert await count(files) == 0


async def test_an_upload_that_breaks_off_leaves_nothing_and_may_be_tried_again(
    server: Server, attachments: ClewAttachmentStore[Context], files: Files
) -> None:
    id = (await announce(server))["id"]
    begun = asyncio.Event()

    async def hanging() -> AsyncIterator[bytes]:
        yield TEXT[:5]
        begun.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(attachments.receive(id, "ada", None, hanging()))
    await begun.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert await count(files) == 0
    await attachments.receive(id, "ada", None, TEXT)
    assert await read(attachments, id) == TEXT


async def test_an_upload_that_comes_too_late_is_refused(store: Store, files: Files) -> None:
    attachments = ClewAttachmentStore[Context](store, files, url=URL, upload_s=0)
    server = Server(ChatKitStore(store, attachments=attachments))
    id = (await announce(server))["id"]
    with pytest.raises(GoneError):
        await attachments.receive(id, "ada", None, TEXT)
    assert await count(files) == 0


async def test_what_no_message_takes_up_is_swept_after_a_day(
    server: Server,
    attachments: ClewAttachmentStore[Context],
    files: Files,
    kit: ChatKitStore[Context],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unsent, sent, late = [await attach(server, attachments, name=name) for name in ("a.txt", "b.txt", "c.txt")]
    await start(server, ADA, attachments=[sent])
    assert await attachments.sweep() == 0
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + 24 * 3600 + 3600 + 5)
        assert await attachments.sweep(limit=2) == 2
        assert await attachments.sweep() == 1
        assert await attachments.sweep() == 0
    assert await count(files) == 1
    assert await read(attachments, sent) == TEXT
    for id in (unsent, late):
        with pytest.raises(ChatKitNotFoundError):
            await kit.load_attachment(id, ADA)
    assert len(await files.list(UNSENT)) == 0


async def test_bytes_whose_metadata_is_gone_are_swept(
    server: Server,
    attachments: ClewAttachmentStore[Context],
    files: Files,
    kit: ChatKitStore[Context],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    id = await attach(server, attachments)
    await kit.delete_attachment(id, ADA)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 48 * 3600)
    assert await attachments.sweep() == 1
    assert await count(files) == 0


async def test_metadata_of_what_is_not_sent_expires_and_of_what_is_sent_stays(
    server: Server, attachments: ClewAttachmentStore[Context], store: Store
) -> None:
    id = await attach(server, attachments)
    values = store.values("clew:chatkit:attachment:ada:")
    found = await values.get(id)
    assert found is not None
    assert found.ttl_ms is not None
    assert 24 * 3600 * 1000 < found.ttl_ms <= 25 * 3600 * 1000
    await start(server, ADA, attachments=[id])
    found = await values.get(id)
    assert found is not None
    assert found.ttl_ms is None


async def test_an_attachment_made_by_other_means_stays_and_takes_no_upload(
    kit: ChatKitStore[Context], attachments: ClewAttachmentStore[Context], store: Store
) -> None:
    await kit.save_attachment(FileAttachment(id="atc_own", name="a.txt", mime_type="text/plain", metadata={"clew": "mine"}), ADA)
    found = await store.values("clew:chatkit:attachment:ada:").get("atc_own")
    assert found is not None
    assert found.ttl_ms is None
    with pytest.raises(NotFoundError, match="upload"):
        await attachments.receive("atc_own", "ada", None, TEXT)


async def test_a_message_with_an_attachment_that_has_no_bytes_yet_waits_for_nobody(
    server: Server, attachments: ClewAttachmentStore[Context]
) -> None:
    id = (await announce(server))["id"]
    events = await play(server, "threads.create", ADA, input=says("hi", attachments=[id]))
    assert "error" not in kinds(events)
    with pytest.raises(NotFoundError):
        await attachments.download(id, "ada")
