"""Another process on the same file: `python peer.py URL NAME COUNT` appends the items `<NAME>-<n>` and prints a line."""

from __future__ import annotations

import asyncio
import sys

from clew.backends.sqlite import open_backend
from clew.codec import make_entry
from clew.records import Append, Partition

PLACE = Partition("owner", "thread")


async def append(url: str, name: str, count: int) -> None:
    store = await open_backend(url)
    for n in range(count):
        await store.commit(PLACE, [Append("items", make_entry(f"{name}-{n}", b"data"))], listed=True)
    await store.aclose()


if __name__ == "__main__":
    asyncio.run(append(sys.argv[1], sys.argv[2], int(sys.argv[3])))
    print("done")
