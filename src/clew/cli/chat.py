"""`clew chat`: the one turn for scripts, and the menu for people, whose lines `asking.py` reads."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from urllib.parse import unquote

from rich.text import Text

from ..assistant.models import Model, open_model
from ..errors import ClewError, NotFoundError
from ..ids import new_thread_id
from ..model import Item, Ref
from ..settings import mask_url
from ..store import Store, connect
from ..texts import item_text
from .asking import ask
from .conversation import Conversation, ModelError
from .screen import age, clean, err, item_json, note, out, say, table, write_json

MENU = """
 1  send a message
 2  peek at the stored history
 3  list the saved threads, and resume one
 4  start a fresh thread
 0  exit"""
PEEK = 200
"""Items that a look at the history shows: the newest."""
LISTED = 10


async def run_turn(url: str, owner: str, text: str, thread: str | None, *, as_json: bool) -> None:
    """Do one turn. The answer goes to standard output, also where it could not be stored; then the error is raised.

    Raises:
        NotFoundError, GoneError: there is no such thread.
        ClewError: the model did not answer, or the store failed.
    """
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(connect(url))
        ref = Ref(owner, thread or new_thread_id())
        before = 0
        if thread is not None:
            await store.threads.get(ref)
            before = max((item.position for item in await store.items.tail(ref, 1)), default=0)
        model = await open_model(stack)
        conversation = Conversation(store, model, ref)
        conversation.seen = before
        answer = "".join([part async for part in conversation.say(text)])
        failure: ClewError | None = None
        items: list[Item] = []
        try:
            await conversation.save()
            items = await conversation.news()
        except ClewError as error:
            failure = error
        if as_json:
            facts = {"thread": ref.id, "answer": answer, "store": mask_url(url), "model": model.label}
            write_json({**facts, "saved": failure is None, "items": [item_json(item) for item in items]})
        else:
            say(answer)
            note(f"thread {ref.id}: go on with  clew chat --thread {ref.id}")
        if failure is not None:
            raise failure


async def run_menu(url: str, owner: str, thread: str | None, source: str) -> None:
    """Talk with a person until they leave."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(connect(url))
        say(f"store   {describe_store(url)}, from {source}; threads of {owner}")
        with err().status("starting the model ..."):
            model = await open_model(stack)
        say(f"model   {model.label}")
        chat = Chat(store, model, owner)
        stack.push_async_callback(chat.leave)
        if thread is not None:
            await chat.resume(thread)
        elif (await store.threads.list(owner, limit=1)).data:
            say("Your earlier threads are kept: 3 lists them.", style="dim")
        else:
            say("Everything that is said here is kept: leave any time, come back, and choose 3 to go on.", style="dim")
        await chat.run()


def describe_store(url: str) -> str:
    """Return in a few words which store a URL names, without its credentials."""
    if url.startswith("sqlite:"):
        return f"embedded SQLite file {unquote(url.removeprefix('sqlite:///').partition('?')[0])}"
    if url.startswith("memory:"):
        return "memory of this process, gone when it ends"
    return mask_url(url)


class Chat:
    """The menu, and the thread that is open in it."""

    def __init__(self, store: Store, model: Model, owner: str) -> None:
        self._store = store
        self._model = model
        self._owner = owner
        self._conversation = self._open(new_thread_id())

    def _open(self, thread: str) -> Conversation:
        return Conversation(self._store, self._model, Ref(self._owner, thread))

    async def run(self) -> None:
        """Show the menu and do what is chosen, until 0 or the end of the input; Ctrl-C goes back to the menu, and leaves it."""
        while True:
            out().print(Text(MENU))
            choice = ask("choose: ")
            if choice is None or choice in ("0", "q", "exit"):
                return
            try:
                await self._do(choice)
            except KeyboardInterrupt:
                print()
            except ClewError as error:
                err().print(Text(clean(str(error)), style="red"))

    async def _do(self, choice: str) -> None:
        match choice:
            case "1":
                await self._talk()
            case "2":
                await self._peek()
            case "3":
                await self._choose()
            case "4":
                await self._switch(new_thread_id())
                say("A fresh thread. It is kept from its first message on.")
            case "":
                return
            case other:
                say(f"{other!r} is not on the menu: choose 0 to 4.")

    async def resume(self, thread: str) -> None:
        """Open a saved thread and show its history. NotFoundError, GoneError: there is none."""
        found = await self._store.threads.get(Ref(self._owner, thread))
        await self._switch(thread)
        say(f"— {found.title or found.id} —", style="bold")
        self._show(await self._conversation.history(PEEK))

    async def leave(self) -> None:
        """Store what still waits, and say what could not be stored."""
        try:
            await self._conversation.save()
        except ClewError as error:
            count = self._conversation.unsaved
            err().print(Text(clean(f"{count} messages could not be stored: {error}"), style="red"))
        else:
            say("Goodbye. It is all kept.")

    async def _switch(self, thread: str) -> None:
        await self._conversation.save()
        self._conversation = self._open(thread)

    async def _talk(self) -> None:
        say("Write a message; an empty line goes back to the menu.", style="dim")
        while True:
            self._show(await self._conversation.others())
            text = ask("you> ")
            if not text:
                return
            # What another terminal said while this one was waiting stands before the answer, for the model too.
            self._show(await self._conversation.news())
            await self._turn(text)

    async def _turn(self, text: str) -> None:
        task = asyncio.ensure_future(self._stream(text))
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # on Windows, where Ctrl-C then leaves the chat
            loop.add_signal_handler(signal.SIGINT, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            kept = await self._conversation.is_stored(text)
            fate = "but the turn was stored already" if kept else "and nothing of this turn was stored"
            err().print(Text(f"\ninterrupted, {fate}", style="yellow"))
        except ModelError as error:
            err().print(Text(f"\n{clean(str(error))}. Your message was not stored: send it again.", style="red"))
        finally:
            with suppress(NotImplementedError):  # as above
                loop.remove_signal_handler(signal.SIGINT)
        if self._conversation.unsaved:
            await self._retry()

    async def _stream(self, text: str) -> None:
        console = out()
        console.print(Text("assistant> ", style="bold cyan"), end="")
        async for part in self._conversation.say(text):
            console.print(Text(clean(part)), end="")
        console.print()

    async def _retry(self) -> None:
        try:
            await self._conversation.save()
        except ClewError as error:
            why = f"the store did not take this turn yet ({error}); it goes with the next one, as long as this program runs"
            err().print(Text(clean(why), style="red"))

    async def _peek(self) -> None:
        items = await self._conversation.history(PEEK)
        which = "nothing is stored yet" if not items else f"the newest {len(items)} items"
        say(f"thread {self._conversation.ref.id}: {which}", style="dim")
        self._show(items)

    async def _choose(self) -> None:
        cursor = None
        shown: list[str] = []
        while True:
            page = await self._store.threads.list(self._owner, limit=LISTED, cursor=cursor)
            if not page.data and not shown:
                say("No thread is saved yet: 1 sends the first message.")
                return
            rows = [
                (str(number), thread.title or thread.id, age(thread.updated_at))
                for number, thread in enumerate(page.data, len(shown) + 1)
            ]
            shown += [thread.id for thread in page.data]
            table(("", "thread", "last written"), rows)
            choice = ask(f"which one (1 to {len(shown)}{', m for more' if page.has_more else ''}, empty to go back): ")
            if not choice:
                return
            if choice == "m" and page.has_more:
                cursor = page.cursor
                continue
            if not (choice.isascii() and choice.isdecimal() and 1 <= int(choice) <= len(shown)):
                raise NotFoundError(f"{choice!r} is not in the list: give a number from 1 to {len(shown)}")
            await self.resume(shown[int(choice) - 1])
            return

    def _show(self, items: Iterable[Item]) -> None:
        for item in items:
            style = "bold green" if item.author == "user" else "bold cyan"
            out().print(Text(f"{clean(item.author or item.kind)}> ", style=style), Text(clean(item_text(item))), sep="")
