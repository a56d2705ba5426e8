"""Answers without the store, in memory: a conversation goes on while the store is away, for as long as this worker lives.

What is said here is kept nowhere else, and every answer says so.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Final

from chatkit.server import ChatKitServer

import clew

from ... import Ref
from ...adapters.chatkit import Answer, DurableServer
from ...adapters.chatkit.attachments import ClewAttachmentStore
from ...errors import NotFoundError
from ...files import connect_files
from .claims import check_same
from .listening import Listener
from .sessions import ChannelKit, Context, context_of, message_body
from .talks import Making, Place, Talk, Told, finish
from .views import Ask, ChatView

MOST: Final = 500
"""Conversations that are remembered, and as many answers to requests that may come twice."""
MakeServer = Callable[[ChannelKit, ClewAttachmentStore[Context]], ChatKitServer[Context]]


class Spare:
    """Made when a worker starts; opened by the first message that needs it."""

    def __init__(self, make_server: MakeServer, *, lease: float, beat: float, closing: asyncio.Event) -> None:
        self._make_server = make_server
        self._lease = lease
        self._beat = beat
        self._closing = closing
        self._stack = AsyncExitStack()
        self._place: Place | None = None
        self._opening = asyncio.Lock()
        self._turn = asyncio.Lock()
        self._threads: OrderedDict[str, Ref] = OrderedDict()
        self._told: OrderedDict[tuple[str, str], tuple[str, Making]] = OrderedDict()

    def told(self, ask: Ask) -> Told | None:
        """Return the answer to a request that was sent before, None where there is none; ReusedTokenError for another message."""
        found = self._told.get((ask.route, ask.once)) if ask.once is not None else None
        if found is None:
            return None
        check_same(found[0], ask.message)
        return Told(found[1])

    async def begin(self, ask: Ask) -> Talk:
        """Begin an answer. BusyError where one is being made in this conversation."""
        place = await self._open()
        # One by one, so that of a request that comes twice at once the second one finds the first.
        async with self._turn:
            return self.told(ask) or await self._make(place, ask)

    async def _make(self, place: Place, ask: Ask) -> Making:
        ref, context, listener = self._threads.get(ask.route), context_of(ask), Listener()
        answer = await place.server.process(
            message_body(None if ref is None else ref.id, ask.message), context, hear=listener.hear
        )
        assert isinstance(answer, Answer), "a message is answered"
        made = Ref(ask.owner, answer.thread_id)
        self._threads[ask.route] = made
        self._threads.move_to_end(ask.route)
        if len(self._threads) > MOST:
            await self._drop(self._threads.popitem(last=False)[1])
        opening = ChatView("", ask.conversation_id, None, ref is None, False, None)
        making = Making(place, made, context, opening, listener, answer)
        if ask.once is not None:
            self._told[ask.route, ask.once] = (ask.message, making)
            if len(self._told) > MOST:
                self._told.popitem(last=False)
        return making

    async def forget(self, route: str) -> bool:
        """Forget a conversation; tell whether it was known."""
        ref = self._threads.pop(route, None)
        if ref is None:
            return False
        await self._drop(ref)
        return True

    def close_readers(self) -> None:
        """End every response."""
        if self._place is not None:
            self._place.server.close_readers()

    async def aclose(self, grace: float) -> None:
        """Give answers `grace` seconds to end, and forget everything."""
        if self._place is not None:
            await self._place.server.aclose(grace)
            await finish(self._place, grace)
        await self._stack.aclose()

    async def _open(self) -> Place:
        async with self._opening:
            if self._place is None:
                store = await self._stack.enter_async_context(clew.connect("memory://"))
                files = await connect_files("memory://")
                self._stack.push_async_callback(files.aclose)
                attachments: ClewAttachmentStore[Context] = ClewAttachmentStore(store, files, url=_url_of)
                kit = ChannelKit(store, attachments=attachments)
                server = DurableServer(self._make_server(kit, attachments), lease=self._lease, beat=self._beat)
                self._place = Place(server, kit, False, lambda error: None, self._closing, self._beat)
            return self._place

    async def _drop(self, ref: Ref) -> None:
        assert self._place is not None, "what is known was made there"
        try:
            await self._place.store.threads.delete(ref)
        except NotFoundError:
            return


def _url_of(id: str, context: Any) -> str:  # a request's context, as the attachment store is given it
    return f"{context['base']}/api/v1/attachments/{id}"
