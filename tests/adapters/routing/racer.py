"""An instance in a process of its own: so many first messages of one conversation at once, and a line for each answer.

Run as `python -m tests.adapters.routing.racer URL MESSAGES FOLDER` (`-` for no folder). With a folder the sessions are
files in it, so that what was made can be counted.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from clew.adapters.routing import ConversationStore
from clew.ids import new_id


class FileSessions:
    """Sessions that are files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def exists(self, session_id: str) -> bool:
        """See Sessions.exists."""
        return (self._folder / session_id).exists()

    async def create(self, conversation_id: str, *, summary: str | None = None, previous: str | None = None) -> str:
        """See Sessions.create; slow enough for everybody to meet."""
        session_id = new_id()
        await asyncio.sleep(0.05)
        (self._folder / session_id).write_text(summary or "")
        return session_id

    async def discard(self, session_id: str) -> None:
        """See Sessions.discard."""
        (self._folder / session_id).unlink()


async def main(url: str, messages: int, folder: str) -> None:
    """Wait for the word to go, then ask for everything at once."""
    config = {"url": url, "command_timeout": 30_000}
    routing = ConversationStore(config, sessions=None if folder == "-" else FileSessions(Path(folder)))
    async with routing:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for route in await asyncio.gather(*(routing.resolve("telegram:123") for _ in range(messages))):
            print(route.session_id, int(route.created), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
