"""An instance with a journal: many clients that append, each to a thread of its own, to be killed at any time.

Run as `python -m tests.faults.journal_writer URL NAME CLIENTS PARENT_PID`. It says on its standard output what was acknowledged,
as `<client> <number> <pending>`, and goes on after the numbers that stand on its first line of standard input.
"""

from __future__ import annotations

import asyncio
import os
import sys

import clew
from clew.errors import UnavailableError
from servers.launcher import die_with_parent


async def write(store: clew.Store, name: str, client: int, number: int) -> None:
    """Append for ever; what is unavailable is sent again with the same id."""
    thread = clew.Ref(name, str(client))
    while True:
        item = clew.NewItem.json(number + 1, id=f"{client}.{number + 1}")
        try:
            done = await store.items.append(thread, item, create=True)
        except UnavailableError:
            continue
        number += 1
        # One write of less than PIPE_BUF bytes: a kill leaves no half line.
        os.write(1, f"{client} {number} {int(done.pending)}\n".encode())
        await asyncio.sleep(0.01)


async def main(url: str, name: str, clients: int) -> None:
    """Write until the standard input is closed."""
    numbers = [int(text) for text in sys.stdin.readline().split()]
    async with clew.connect(url) as store:
        tasks = [asyncio.create_task(write(store, name, client, numbers[client])) for client in range(clients)]
        await asyncio.to_thread(sys.stdin.readline)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[4]))
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
