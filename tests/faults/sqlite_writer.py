"""A process that appends from 100 tasks until it is killed. It prints an id and a position for each acknowledged append.

Run as `python sqlite_writer.py URL ROUND`; the id is `<round>-<task>-<turn>`.
"""

from __future__ import annotations

import asyncio
import os
import sys

from clew.backends.sqlite import open_backend
from clew.codec import make_entry
from clew.records import Append, Partition

THREAD = Partition("owner", "thread")


async def append_for_ever(url: str, turn: str) -> None:
    store = await open_backend(url)

    async def one(task: int) -> None:
        for n in range(1_000_000):
            id = f"{turn}-{task}-{n}"
            done = await store.commit(THREAD, [Append("items", make_entry(id, id.encode() * 30))], listed=True)
            os.write(1, f"{id} {done.outcomes[0]}\n".encode())

    await asyncio.gather(*(one(task) for task in range(100)))


if __name__ == "__main__":
    asyncio.run(append_for_ever(sys.argv[1], sys.argv[2]))
