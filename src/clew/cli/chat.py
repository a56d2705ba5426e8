"""`clew chat`: the menu of a chat that remembers, and the one turn for scripts."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from rich.text import Text

from ..errors import ClewError, NotFoundError
from ..ids import new_thread_id
from ..model import Item, Ref
from ..settings import Settings, mask_url
from ..store import Store, connect
from .conversation import Conversation, ModelError
from .models import Model, open_model
from .screen import age, clean, err, item_json, item_text, note, out, say, table, write_json

MENU = """
 1  send a message
 2  peek at the stored history
 3  list the saved threads, and resume one
 4  start a fresh thread
 0  exit
"""


async def run_turn(url: str, owner: str, text: str, thread: str | None, *, as_json: bool) -> None:
    """Do one turn: the answer goes to standard output once both messages are stored."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(connect(url))
        ref = Ref(owner, thread or new_thread_id())
        if thread is not None:
            await store.threads.get(ref)
        model = await open_model(stack)
        conversation = Conversation(store, model, ref)
        answer = "".join([part async for part in conversation.say(text)])
        if as_json:
            items = await conversation.history()
            write_json(
                {
                    "thread": ref.id,
                    "answer": answer,
                    "store": mask_url(url),
                    "model": model.label,
                    "items": [item_json(item) for item in items[-2:]],
                    "count": items[-1].position if items else 0,
                }
            )
        else:
            say(answer)
            note(f"thread {ref.id}: go on with  clew chat --thread {ref.id}")


async def run_menu(url: str, owner: str, thread: str | None, source: str) -> None:
    """Talk with a person until they leave."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(connect(url))
        say(f"store   {describe_store(url)}, from {source}; threads of {owner}")
        with err().status("starting the model ..."):
            model = await open_model(stack)
        say(f"model   {model.label}")
        chat = Chat(store, model, owner)
        if thread is None:
            page = await store.threads.list(owner, limit=1)
            if page.data:
                say("Your earlier threads are kept: 3 lists them.", style="dim")
            else:
                say("Everything that is said here is kept: leave any time, come back, and choose 3 to go on.", style="dim")
        else:
            await chat.resume(thread)
        await chat.run()


def describe_store(url: str) -> str:
    """Return in a few words which store a URL names."""
    if url.startswith("sqlite:"):
        return f"embedded SQLite file {url.removeprefix('sqlite:///').partition('?')[0]}"
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
        """Show the menu and do what is chosen, until 0 or the end of the input."""
        while True:
            out().print(Text(MENU.rstrip()))
            choice = await ask("choose: ")
            if choice is None or choice.strip() in ("0", "q", "exit"):
                say("Goodbye. It is all kept.")
                return
            try:
                match choice.strip():
                    case "1":
                        await self._talk()
                    case "2":
                        await self._peek()
                    case "3":
                        await self._choose()
                    case "4":
                        self._conversation = self._open(new_thread_id())
                        say("A fresh thread. It is kept from its first message on.")
                    case "":
                        continue
                    case other:
                        say(f"{other!r} is not on the menu: choose 0 to 4.")
            except ClewError as error:
                err().print(Text(clean(str(error)), style="red"))

    async def resume(self, thread: str) -> None:
        """Open a saved thread and show its history."""
        ref = Ref(self._owner, thread)
        found = await self._store.threads.get(ref)
        self._conversation = self._open(thread)
        say(f"— {found.title or found.id} —", style="bold")
        await self._show(await self._conversation.history())

    async def _talk(self) -> None:
        say("Write a message; an empty line goes back to the menu.", style="dim")
        while True:
            await self._show(await self._conversation.news())
            text = await ask("you> ")
            if text is None or not text.strip():
                return
            await self._turn(text)

    async def _turn(self, text: str) -> None:
        console = out()
        console.print(Text("assistant> ", style="bold cyan"), end="")
        try:
            async for part in self._conversation.say(text):
                console.print(Text(clean(part)), end="")
            console.print()
        except ModelError as error:
            console.print()
            err().print(Text(f"{clean(str(error))} Your message was not stored: send it again.", style="red"))
            return
        # What is stored now was shown as it came.
        mine = [item for item in await self._conversation.news() if item.author not in ("user", "assistant")]
        await self._show(mine)

    async def _peek(self) -> None:
        items = await self._conversation.history()
        say(f"thread {self._conversation.ref.id}: {len(items)} stored", style="dim")
        await self._show(items)

    async def _choose(self) -> None:
        cursor = None
        shown: list[str] = []
        while True:
            page = await self._store.threads.list(self._owner, limit=10, cursor=cursor)
            if not page.data and not shown:
                say("No thread is saved yet: 1 sends the first message.")
                return
            rows = [
                (str(number), thread.title or thread.id, age(thread.updated_at))
                for number, thread in enumerate(page.data, len(shown) + 1)
            ]
            shown += [thread.id for thread in page.data]
            table(("", "thread", "last written"), rows)
            prompt = "which one (its number; m for more; empty to go back): " if page.has_more else "which one (its number): "
            choice = await ask(prompt)
            if choice is None or not choice.strip():
                return
            if choice.strip() == "m" and page.has_more:
                cursor = page.cursor
                continue
            if choice.strip().isdecimal() and 1 <= int(choice) <= len(shown):
                await self.resume(shown[int(choice) - 1])
            else:
                raise NotFoundError(f"{choice.strip()!r} is not in the list: give a number from 1 to {len(shown)}")
            return

    async def _show(self, items: list[Item]) -> None:
        for item in items:
            line = Text(f"{clean(item.author or item.kind)}> ", style="bold green" if item.author == "user" else "bold cyan")
            out().print(line, Text(clean(item_text(item))), sep="")


async def ask(prompt: str) -> str | None:
    """Return a line from the person, None at the end of the input. The event loop goes on meanwhile."""

    def read() -> str | None:
        try:
            return input(prompt)
        except EOFError:
            return None

    return await asyncio.get_running_loop().run_in_executor(None, read)
