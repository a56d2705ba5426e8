"""A process that takes one step after another in 20 threads until it is killed. It prints a thread and an id for each step.

Run as `python sqlite_checkpointer.py URL ROUND`. A step appends two items, puts a checkpoint that refers to them and goes on from
the one before, adds two writes, and drops the checkpoint ten steps before it, in one commit.
"""

from __future__ import annotations

import asyncio
import os
import sys

from clew.backends.sqlite import open_backend
from clew.checkpoints import DropCheckpoints, Part, PutCheckpoint, PutWrites, Span, Write
from clew.codec import make_entry
from clew.records import Append, Change, Partition

CHAIN = 8
"""Steps after which a part stands alone again."""
KEPT = 10


def make_step(turn: int, n: int) -> list[Change]:
    """Return the changes of a step; its id tells the round and the step."""
    id, name = f"{turn:03}-{n:06}", f"messages\0{turn}-{n}"
    part = Part(f"{n}".encode(), f"messages\0{turn}-{n - 1}" if n % CHAIN else None, (Span(-1, 2),))
    before = f"{turn:03}-{n - 1:06}" if n else None
    changes: list[Change] = [Append("items", make_entry(f"{id}-{k}", f"{id}-{k}".encode() * 20)) for k in range(2)]
    changes.append(PutCheckpoint("", id, before, id.encode(), (name,), {name: part}))
    changes.append(PutWrites("", id, tuple(Write("", f"task-{k}", 0, "messages", id.encode()) for k in range(2))))
    if n >= KEPT:
        changes.append(DropCheckpoints((("", f"{turn:03}-{n - KEPT:06}"),)))
    return changes


async def step_for_ever(url: str, turn: int) -> None:
    store = await open_backend(url)

    async def one(thread: int) -> None:
        for n in range(1_000_000):
            await store.commit(Partition("owner", f"thread-{thread}"), make_step(turn, n), listed=True)
            os.write(1, f"{thread} {turn:03}-{n:06}\n".encode())

    await asyncio.gather(*(one(thread) for thread in range(20)))


if __name__ == "__main__":
    asyncio.run(step_for_ever(sys.argv[1], int(sys.argv[2])))
