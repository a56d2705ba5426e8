"""A program of its own: at a moment that several of these were told, many callers ask for the session of one new conversation.

    python -m bench.service.racer REDIS_URL CALLERS

It says `[[], 0]` when it is ready. Each line of its input is an owner and a moment; each line of its output is JSON: the sessions
that the callers were given, and the seconds from the moment until the last one had it.
"""

from __future__ import annotations

import asyncio
import json
import sys

import clew
from clew.adapters.routing import ConversationStore, ThreadSessions

from .place import now_ns


async def race(store: clew.Store, owner: str, begin: int, callers: int) -> tuple[list[str], float]:
    """Ask for the session of one conversation, `callers` times at once."""
    sessions = ThreadSessions(store, owner)
    async with ConversationStore({"key_prefix": f"{owner}:"}, sessions=sessions, store=store) as conversations:
        await asyncio.sleep(max(begin - now_ns(), 0) / 1e9)
        asked = (conversations.get_or_create_session("telegram:1") for _ in range(callers))
        found = await asyncio.gather(*asked)
    return sorted(set(found)), (now_ns() - begin) / 1e9


async def main(url: str, callers: int) -> None:
    """Race whenever a line says so, until the input ends."""
    async with clew.connect(url) as store:
        print(json.dumps([[], 0]), flush=True)
        while line := (await asyncio.to_thread(sys.stdin.readline)).split():
            print(json.dumps(await race(store, line[0], int(line[1]), callers)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
