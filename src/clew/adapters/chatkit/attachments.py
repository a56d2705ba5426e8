"""Attachments of ChatKit: what a file is called is kept by the store, its bytes by a file store, each for its owner alone.

Uploads have two phases: ChatKit asks for a place (`create_attachment`), then the bytes arrive there (`receive`). What is not
there whole is not there: a file that is too long, too short or of another type than it says is refused, and nothing of it kept.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias
from urllib.parse import quote

import msgspec
from chatkit.store import AttachmentStore
from chatkit.store import NotFoundError as ChatKitNotFoundError
from chatkit.types import Attachment, AttachmentCreateParams, AttachmentUploadDescriptor, FileAttachment, ImageAttachment
from pydantic import AnyUrl

import clew
from clew.files import Files, Key, Reading, fit
from clew.limits import check_id

from .announcements import UNSENT_S, UPLOAD_S, make_note, read_note, time_left
from .content_types import HEAD, IMAGES, TAKEN, find_lie, is_said, is_taken, read_type
from .failures import telling
from .ids import make_id
from .owners import OwnerOf, TContext, make_finder
from .store import ChatKitStore

MOST_BYTES: Final = 20 * 1024 * 1024
"""Bytes of one attachment, where nothing else is said."""
UNSENT: Final[Key] = ("attachments-unsent",)
"""Where the marks of uploads are that no message has taken up yet."""
MOST_NAME: Final = 255
"""Characters of a file's name."""

UrlOf: TypeAlias = str | Callable[[str, TContext], str]


class TooLargeError(clew.InvalidError):
    """The file is larger than is allowed, or than was announced. An HTTP service answers 413."""


class WrongTypeError(clew.InvalidError):
    """The file's type is not taken, or is not what it says. An HTTP service answers 415."""


@dataclass(frozen=True, slots=True)
class Download:
    """An attachment that is being read. Close `reading`, or read it to its end.

    Attributes:
        name: the file's name, as its owner gave it.
        content_type: as it was announced, and not belied by its first bytes.
        reading: its bytes, or the part that was asked for.
    """

    name: str
    content_type: str
    reading: Reading

    @property
    def headers(self) -> dict[str, str]:
        """The headers to send it with: nothing but a picture is ever shown in a page, and nobody guesses another type."""
        shown = "inline" if self.content_type in IMAGES else "attachment"
        return {
            "content-type": self.content_type,
            "content-length": str(self.reading.stop - self.reading.start),
            "content-disposition": f"{shown}; filename*=UTF-8''{quote(self.name, safe='')}",
            "content-security-policy": "default-src 'none'; sandbox",
            "x-content-type-options": "nosniff",
            "cache-control": "private, no-store",
            "etag": self.reading.info.etag,
        }


class ClewAttachmentStore(AttachmentStore[TContext], Generic[TContext]):
    """ChatKit's attachment store on clew. `ChatKitServer(ChatKitStore(store), ClewAttachmentStore(store, files, url=...))`."""

    def __init__(
        self,
        store: clew.Store,
        files: Files,
        owner: OwnerOf[TContext] | None = None,
        *,
        url: UrlOf[TContext],
        most: int = MOST_BYTES,
        types: Sequence[str] = TAKEN,
        upload_s: float = UPLOAD_S,
    ) -> None:
        """Keep what attachments are called in `store`, and their bytes in `files`.

        Args:
            store: the store of the conversations; the caller closes it.
            files: where the bytes go; the caller closes it.
            owner: whose request it is, as ChatKitStore takes it.
            url: where the service takes and gives attachments, as `https://chat.example/attachments`, to which `/<id>` is
                added; or what returns the whole URL for an attachment's id and a request context.
            most: bytes of one attachment.
            types: content types that are taken, as `image/png` or `text/*`.
            upload_s: seconds an upload may take from its announcement.
        """
        self._records: ChatKitStore[str] = ChatKitStore(store, owner=_same)
        self._files = files
        self._owner = make_finder(owner)
        self._url = url
        self._most = most
        self._types = tuple(types)
        self._upload_s = upload_s

    # -- what ChatKit asks ----------------------------------------------------------------------------------------------

    def generate_attachment_id(self, mime_type: str, context: TContext) -> str:
        """Return a fresh id: `atc_` and 32 hexadecimal digits."""
        return make_id("attachment")

    async def create_attachment(self, input: AttachmentCreateParams, context: TContext) -> Attachment:
        """Announce a file: return its attachment, with the place its bytes are to be sent to. ChatKit's server saves it.

        Raises:
            InvalidError: a bad name or size.
            TooLargeError: it is larger than is allowed.
            WrongTypeError: its type is not taken.
        """
        self._owner(context)
        name = _check_name(input.name)
        type = read_type(input.mime_type, name)
        if not is_taken(type, self._types):
            raise WrongTypeError(f"files of type {type} are not taken here: attach one of {', '.join(self._types)}")
        if input.size < 0:
            raise clew.InvalidError("the size of a file is a number of bytes from 0")
        if input.size > self._most:
            raise TooLargeError(f"the file has {input.size:,} bytes: at most {self._most:,} are taken here")
        id = self.generate_attachment_id(type, context)
        url = AnyUrl(self._url_of(id, context))
        upload = AttachmentUploadDescriptor(url=url, method="PUT", headers={"content-type": type})
        note = make_note(input.size, self._upload_s)
        if type in IMAGES:
            return ImageAttachment(id=id, name=name, mime_type=type, upload_descriptor=upload, metadata=note, preview_url=url)
        return FileAttachment(id=id, name=name, mime_type=type, upload_descriptor=upload, metadata=note)

    async def delete_attachment(self, attachment_id: str, context: TContext) -> None:
        """Delete an attachment's bytes; ChatKit's server deletes the rest. What is not there is no error."""
        owner = self._owner(context)
        with telling():
            await self.delete_bytes([attachment_id], owner)

    # -- what the service asks ------------------------------------------------------------------------------------------

    async def receive(
        self, attachment_id: str, owner: str, content_type: str | None, stream: bytes | AsyncIterable[bytes]
    ) -> Attachment:
        """Take the bytes of an attachment that was announced. They may be sent again until a message has the attachment.

        Args:
            attachment_id: which.
            owner: who sends them.
            content_type: what the request says they are; None where it says nothing.
            stream: the bytes, exactly as many as were announced.

        Returns:
            The attachment as it is now.

        Raises:
            NotFoundError: this owner has announced no such attachment.
            GoneError: it was announced too long ago.
            AlreadyExistsError: it belongs to a message already.
            TooLargeError, WrongTypeError, InvalidError: the bytes are not what was announced; nothing was kept.
            FullError, DeniedError, UnavailableError: the file store cannot take them.
        """
        found = await self._load(attachment_id, owner)
        key = _key(owner, attachment_id)
        announced = read_note(found)
        if announced is None:
            raise clew.NotFoundError(f"the attachment {attachment_id!r} takes no upload")
        if found.thread_id is not None:
            raise clew.AlreadyExistsError("the attachment belongs to a message already: attach the file anew")
        if announced.until < time.time() and not await self._is_there(key):
            raise clew.GoneError("the upload took too long: attach the file anew")
        if is_said(content_type) and read_type(content_type) != found.mime_type:
            raise WrongTypeError(f"the file was announced as {found.mime_type} and sent as something else")
        # First the mark, so that bytes which no message ever has are found again.
        await self._files.put(_mark(owner, attachment_id), msgspec.json.encode((owner, attachment_id)))
        await self._files.put(key, _check_stream(stream, found.mime_type, announced.size), most=self._most)
        try:
            found = await self._load(attachment_id, owner)
        except clew.NotFoundError:
            # It was deleted meanwhile: its bytes go too.
            await self._files.delete(key)
            raise
        done = found.model_copy(update={"upload_descriptor": None})
        await self._records.save_attachment(done, owner)
        return done

    async def download(self, attachment_id: str, owner: str, *, start: int = 0, length: int | None = None) -> Download:
        """Open an attachment, or a part of it, for the owner who has it.

        Raises:
            NotFoundError: this owner has no such attachment, or its bytes have not arrived.
            InvalidError: the part starts at or after the end.
            DeniedError, UnavailableError: the file store does not give it.
        """
        found = await self._load(attachment_id, owner)
        reading = await self._files.get(_key(owner, attachment_id), start=start, length=length)
        return Download(found.name, found.mime_type, reading)

    async def sweep(self, *, limit: int = 100) -> int:
        """Delete the bytes of uploads that no message took up within a day, of any owner. Have it called now and then.

        Their metadata expires by itself. Any process may sweep at any time; an upload is looked at once, the oldest first.

        Args:
            limit: how many uploads to look at, from 1 to `limits.MAX_PAGE`.

        Returns:
            How many were looked at: `limit`, where more may be waiting.
        """
        count = 0
        for mark in await self._files.list(UNSENT, limit=limit):
            if time.time() < int(mark.key[1]) + self._upload_s + UNSENT_S:
                break
            async with await self._files.get(mark.key) as reading:
                owner, id = msgspec.json.decode(await reading.read(), type=tuple[str, str])
            await self._drop_unsent(owner, id)
            await self._files.delete(mark.key)
            count += 1
        return count

    async def _drop_unsent(self, owner: str, id: str) -> None:
        try:
            found = await self._load(id, owner)
        except clew.NotFoundError:
            await self._files.delete(_key(owner, id))
            return
        if time_left(found) is not None:
            await self._files.delete(_key(owner, id))
            await self._records.delete_attachment(id, owner)

    async def delete_bytes(self, attachment_ids: Iterable[str], owner: str) -> None:
        """Delete the bytes of some attachments, as of a thread that goes. What is not there is no error."""
        for each in attachment_ids:
            await self._files.delete(_key(owner, each))

    async def delete_all(self, owner: str) -> int:
        """Delete the bytes of all attachments of an owner; return how many had some."""
        return await self._files.delete_all(_key(owner))

    # -- the rest -------------------------------------------------------------------------------------------------------

    async def _load(self, attachment_id: str, owner: str) -> Attachment:
        check_id(owner, "the owner")
        check_id(attachment_id, "the attachment's id")
        try:
            return await self._records.load_attachment(attachment_id, owner)
        except ChatKitNotFoundError as e:
            raise clew.NotFoundError(f"there is no attachment {attachment_id!r}") from e

    async def _is_there(self, key: Key) -> bool:
        try:
            await self._files.head(key)
        except clew.NotFoundError:
            return False
        return True

    def _url_of(self, id: str, context: TContext) -> str:
        return f"{self._url.rstrip('/')}/{id}" if isinstance(self._url, str) else self._url(id, context)


async def _check_stream(stream: bytes | AsyncIterable[bytes], type: str, size: int) -> AsyncIterator[bytes]:
    """Yield the bytes, or raise where they are not of this type and size."""
    head, seen, checked = b"", 0, False
    async for chunk in _once(stream) if isinstance(stream, bytes) else stream:
        seen += len(chunk)
        if seen > size:
            raise TooLargeError(f"the file was announced with {size:,} bytes, and more were sent")
        if checked:
            yield chunk
            continue
        head += chunk
        if len(head) >= HEAD:
            _check_head(type, head)
            checked = True
            yield head
    if seen < size:
        raise clew.InvalidError(f"the file was announced with {size:,} bytes, and {seen:,} were sent")
    if not checked:
        _check_head(type, head)
        yield head


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _check_head(type: str, head: bytes) -> None:
    lie = find_lie(type, head[:HEAD]) if head else None
    if lie is not None:
        raise WrongTypeError(f"the file is not what it says: {lie}")


def _check_name(name: str) -> str:
    check_id(name, "the file's name", most=4 * MOST_NAME)
    if len(name) > MOST_NAME or not name.isprintable():
        raise clew.InvalidError(f"the file's name is at most {MOST_NAME} characters that can be printed: rename it")
    return name


def _key(owner: str, *id: str) -> Key:
    return ("attachments", fit(owner), *(fit(each) for each in id))


def _mark(owner: str, id: str) -> Key:
    # The time first: so the oldest are the first of a list.
    return (*UNSENT, f"{int(time.time()):012}", fit(owner), fit(id))


def _same(owner: str) -> str:
    return owner
