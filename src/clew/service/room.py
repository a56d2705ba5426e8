"""What one worker has open: the store, the files, the agent and its server. The store and the files may come later than it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Final

from chatkit.server import ChatKitServer

import clew

from ..accepting import Accepting
from ..adapters.chatkit import ChatKitStore, DurableServer
from ..adapters.chatkit.attachments import ClewAttachmentStore
from ..assistant.supply import ModelSupply
from ..errors import ClewError, ClosedError, UnavailableError
from ..files import Files, connect_files
from ..records import Partition
from ..settings import Settings
from .agent import Agent
from .channels import Chat
from .channels.sessions import ChannelKit
from .late_files import LateFiles
from .reasons import Reasons
from .retaining import Retainer, read_policy
from .watched import watch

logger = logging.getLogger("clew.service")

Context = dict[str, str]
"""A request's: its `owner`, and the `base` of the URLs it is given."""
MakeServer = Callable[[ChatKitStore[Context], ClewAttachmentStore[Context]], ChatKitServer[Context]]
"""Makes the ChatKit server behind the page."""

RETRY_S: Final = 1.0
CHECK_S: Final = 2.0
SWEEP_S: Final = 3600.0


class Room:
    """Made when a worker starts, closed when it ends."""

    def __init__(
        self, settings: Settings, make_server: MakeServer | None, *, lease: float, beat: float, url: str | None = None
    ) -> None:
        """Nothing is opened yet. `url` is the store's, with what the settings do not say; theirs for None."""
        self.settings = settings
        self._url = settings.url if url is None else url
        self._lease = lease
        self._beat = beat
        # The agent needs no store: it answers channels without one, too.
        self._supply = ModelSupply()
        self._agent: Agent | None = None
        if make_server is None:
            self._agent = agent = Agent(self._supply)
            make_server = agent.make_server
        self._make_server = make_server
        self.chat = Chat(settings.chat_prefix, make_server, self._supply, lease=lease, beat=beat)
        self._stack = AsyncExitStack()
        self._server: DurableServer[Context] | None = None
        self._store: clew.Store | None = None
        self._kit: ChannelKit | None = None
        self._files = LateFiles()
        self._reasons = Reasons()
        self._attachments: ClewAttachmentStore[Context] | None = None
        self._why: ClewError = UnavailableError("the store is being opened")
        self._tasks: list[asyncio.Task[None]] = []
        self._retainer: Retainer | None = None
        if settings.retention is not None:
            self._retainer = Retainer(read_policy(settings.retention), lambda: self.near_store, self._delete_thread)
        self.is_closing = False

    async def open(self) -> None:
        """Open everything; where the store or the files are away, go on trying beside the requests, without each other.

        Raises:
            ClewError: a setting cannot be used, so trying again would not help.
        """
        try:
            for what, open_ in (("store", self._open_store), ("files", self._open_files)):
                why = await open_()
                if why is not None:
                    told = {"event": f"{what}_away"}
                    logger.warning("starting without the %s, tried again every second: %s", what, why, extra=told)
                    self._tasks.append(asyncio.create_task(self._try_again(what, open_)))
        except BaseException:
            await self.aclose(0)
            raise
        self._tasks.append(asyncio.create_task(self._sweep()))
        if self._retainer is not None:
            self._tasks.append(asyncio.create_task(self._retainer.run()))

    def close_readers(self) -> None:
        """End every response: the worker is about to go."""
        self.is_closing = True
        self.chat.close_readers()
        if self._server is not None:
            self._server.close_readers()

    async def aclose(self, grace: float) -> None:
        """Give answers `grace` seconds to end, keep what the others have, and close everything."""
        self.is_closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        closing = [self.chat.aclose(grace)] + ([] if self._server is None else [self._server.aclose(grace)])
        await asyncio.gather(*closing)
        await self._stack.aclose()
        if self._agent is not None:
            await self._agent.aclose()
        await self._supply.aclose()

    @property
    def server(self) -> DurableServer[Context]:
        """The ChatKit server. As `near_store`."""
        self._check_near()
        if self._server is None:
            raise self._why
        return self._server

    @property
    def store(self) -> clew.Store:
        """The store. UnavailableError while it is away since the worker started."""
        if self._store is None:
            raise self._why
        return self._store

    @property
    def kit(self) -> ChannelKit:
        """The store as ChatKit has it. As `near_store`."""
        self._check_near()
        if self._kit is None:
            raise self._why
        return self._kit

    @property
    def files(self) -> Files:
        """Where files are. UnavailableError while they are away since the worker started."""
        return self._files.here

    @property
    def near_store(self) -> clew.Store:
        """The store. UnavailableError also while it is known to be away, so that nobody waits for it."""
        self._check_near()
        return self.store

    @property
    def accepting_store(self) -> clew.Store:
        """The store, for what it may accept while it is away (`on_outage=journal`); else as `near_store`."""
        store = self.store
        return store if isinstance(store.backend, Accepting) else self.near_store

    async def waiting(self) -> dict[str, int]:
        """Return how many writes wait in the journal, and how many were refused for good; empty where there is no journal."""
        backend = None if self._store is None else self._store.backend
        if not isinstance(backend, Accepting):
            return {}
        found = await backend.waiting()
        return {name: found for name, found in found.items() if name in ("depth", "aside") and isinstance(found, int)}

    @property
    def attachments(self) -> ClewAttachmentStore[Context]:
        """Where attachments are. As `near_store`."""
        self._check_near()
        if self._attachments is None:
            raise self._why
        return self._attachments

    def _check_near(self) -> None:
        if self.chat.is_away:
            raise UnavailableError("the store is away, and is tried again in the background")

    async def checks(self) -> dict[str, str]:
        """Return what is asked of, and "ok" or why it is not, without an address: for whoever sends requests here."""
        checks = {"worker": "is about to end" if self.is_closing else "ok", "store": "ok", "files": "ok"}
        for name, ask in (("store", self._ask_store), ("files", self._ask_files)):
            try:
                async with asyncio.timeout(CHECK_S):
                    await ask()
            except ClewError as error:
                checks[name] = self._reasons.note(name, error)
            except TimeoutError:
                checks[name] = f"does not answer within {CHECK_S:.0f} seconds"
            else:
                self._reasons.clear(name)
        return checks

    async def _ask_store(self) -> None:
        await self.store.threads.list(self.settings.owner, limit=1)

    async def _ask_files(self) -> None:
        # Below a folder that nothing is in: what is in the others may be much.
        await self.files.list(("readiness",), limit=1)

    async def _open_store(self) -> UnavailableError | None:
        """Open the store and what stands on it; return why it is away."""
        async with AsyncExitStack() as stack:
            try:
                self.settings.make_folder()
                store = watch(await clew.connect(self._url), self.chat.suspect_away, self.chat.note_answer)
            except UnavailableError as error:
                self._why = error
                return error
            stack.push_async_callback(store.aclose)
            attachments: ClewAttachmentStore[Context] = ClewAttachmentStore(store, self._files, url=_url_of)
            kit = ChannelKit(store, attachments=attachments)
            server = DurableServer(self._make_server(kit, attachments), lease=self._lease, beat=self._beat)
            await self.chat.attach(server, kit)
            self._server, self._kit = server, kit
            self._store, self._attachments = store, attachments
            self._stack.push_async_exit(stack.pop_all())
        return None

    async def _open_files(self) -> UnavailableError | None:
        """Open the files; return why they are away."""
        try:
            files = await connect_files(settings=self.settings)
        except UnavailableError as error:
            self._files.why = error
            return error
        self._stack.push_async_callback(files.aclose)
        self._files.found = files
        return None

    async def _try_again(self, what: str, open_: Callable[[], Awaitable[UnavailableError | None]]) -> None:
        while True:
            await asyncio.sleep(RETRY_S)
            try:
                if await open_() is None:
                    logger.info("the %s can be used now", what, extra={"event": f"{what}_back"})
                    return
            except ClewError as error:
                if what == "store":
                    self._why = error
                else:
                    self._files.why = error
                logger.error("the %s cannot be opened: %s", what, error)

    async def _delete_thread(self, partition: Partition) -> None:
        """Delete a thread with its attachments, whosever it is."""
        await self.kit.delete_thread(partition.name, {"owner": partition.owner, "base": ""})

    async def _sweep(self) -> None:
        """Delete, now and then, the bytes of uploads that no message took up."""
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                if self._attachments is not None:
                    await self._attachments.sweep()
            except (ClewError, ClosedError) as error:
                logger.warning("unsent uploads could not be looked through: %s", error)


def _url_of(id: str, context: Any) -> str:  # a request's context, as the attachment store is given it
    return f"{context['base']}/api/v1/attachments/{id}"
