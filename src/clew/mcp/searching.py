"""The tool that searches conversations: every word that is asked for, in the text of a message or a title, in any case.

No engine of clew's has an index of words, so it reads: the newest conversations first, and only so much in one call; the cursor
goes on where it stopped.
"""

from __future__ import annotations

import base64
from binascii import Error as NotBase64
from bisect import bisect_left
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from ..errors import InvalidError, NotFoundError, UnreadableError
from ..model import Ref
from ..texts import item_text
from .desk import Desk
from .tool import Id, Tool
from .views import STEP

MOST_ITEMS: Final = 2_000
"""Items that one call reads."""
MOST_BYTES: Final = 16 * 1024 * 1024
MOST_THREADS: Final = 200
AROUND: Final = 120
"""Characters of a text that are shown on each side of the first word found."""


class Search(msgspec.Struct, forbid_unknown_fields=True):
    query: Annotated[str, Meta(min_length=1, max_length=1_000, description="Words that all have to be there.")]
    conversation: Annotated[Id | None, Meta(description="Only in the one with this id.")] = None
    limit: Annotated[int, Meta(ge=1, le=50, description="How many hits at most.")] = 10
    cursor: Annotated[str | None, Meta(description="The cursor of the answer before.")] = None


class Hit(msgspec.Struct, omit_defaults=True):
    """Where the words are."""

    conversation: str
    title: str | None
    text: Annotated[str, Meta(description="The part around the first word.")]
    message: Annotated[str | None, Meta(description="The message's id; none where it is the title.")] = None
    author: str | None = None
    created_at: str | None = None


class Hits(msgspec.Struct):
    hits: list[Hit]
    searched: Annotated[int, Meta(description="How many messages this call has read.")]
    has_more: Annotated[bool, Meta(description="Not everything was searched yet: go on with the cursor.")]
    cursor: str | None


class _Place(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Where a search goes on: after which line of the listing, in which conversation, before which position of it."""

    line: str | None
    thread: str | None
    position: int | None


async def search(desk: Desk, given: Search) -> Hits:
    """Search the newest conversations first, each from its newest message back."""
    words = given.query.casefold().split()
    if not words:
        raise InvalidError("the query has no words: say what to look for")
    search = _Search(desk, words, given.limit)
    place = _Place(None, given.conversation, None) if given.cursor is None else _read(given.cursor)
    if given.conversation not in (None, place.thread):
        raise InvalidError("the cursor is of another search: start again without one")
    while True:
        if place.thread is not None:
            try:
                position = await search.look_through(place.thread, place.position)
            except NotFoundError:
                if given.conversation is not None:
                    raise
                # Deleted while the search went on.
                position = None
            if position is not None:
                return search.answer(_Place(place.line, place.thread, position))
        if given.conversation is not None:
            return search.answer(None)
        if search.is_full:
            return search.answer(_Place(place.line, None, None))
        page = await desk.store.threads.list(desk.owner, limit=1, cursor=place.line)
        if page.cursor is None:
            return search.answer(None)
        place = _Place(page.cursor, page.data[0].id if page.data else None, None)


class _Search:
    def __init__(self, desk: Desk, words: list[str], limit: int) -> None:
        self._desk = desk
        self._words = words
        self._limit = limit
        self._hits: list[Hit] = []
        self._threads = self._items = self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether this call has found, or read, enough."""
        return (
            len(self._hits) >= self._limit
            or self._items >= MOST_ITEMS
            or self._bytes >= MOST_BYTES
            or self._threads >= MOST_THREADS
        )

    def answer(self, place: _Place | None) -> Hits:
        """Return what was found, and where to go on."""
        return Hits(self._hits, self._items, place is not None, None if place is None else _write(place))

    async def look_through(self, id: str, position: int | None) -> int | None:
        """Look through a conversation; return the position to go on before, None when it is done."""
        store, ref = self._desk.store, Ref(self._desk.owner, id)
        self._threads += 1
        title = await self._title_of(ref)
        if position is None and self._snippet(title or "") is not None:
            self._hits.append(Hit(id, title, (title or "")[: 2 * AROUND]))
        while True:
            page = await store.items.page(ref, before=position, limit=STEP, newest_first=True)
            for item in page:
                self._items += 1
                self._bytes += len(item.data)
                position = item.position
                snippet = self._snippet(item_text(item))
                if snippet is not None:
                    created_at = item.created_at.isoformat(timespec="seconds")
                    self._hits.append(Hit(id, title, snippet, item.id, item.author, created_at))
                if self.is_full:
                    return position
            if not page.has_more:
                return None

    async def _title_of(self, ref: Ref) -> str | None:
        try:
            return (await self._desk.store.threads.get(ref)).title
        except UnreadableError:
            # Its messages may be there all the same.
            return None

    def _snippet(self, text: str) -> str | None:
        folded = text.casefold()
        places = [folded.find(word) for word in self._words]
        if not text or min(places) < 0:
            return None
        first = min(places) if len(folded) == len(text) else _place_in(text, min(places))
        start, end = max(0, first - AROUND), first + AROUND
        return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _place_in(text: str, folded: int) -> int:
    """Return where in a text stands what is at `folded` in its folded form, which may be longer, as that of ß."""
    return bisect_left(range(len(text)), folded, key=lambda end: len(text[:end].casefold()))


def _write(place: _Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def _read(cursor: str) -> _Place:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=_Place)
    except (NotBase64, ValueError, msgspec.DecodeError) as error:
        raise InvalidError("the cursor is none that a search gave: start again without one") from error


TOOLS: Final = (
    Tool("search_conversations", "Search conversations",
         "Find messages and titles that have all the words, the newest conversations first. While has_more is true, not "
         "everything was searched: go on with the cursor.",
         Search, Hits, search, reads=True),
)  # fmt: skip
