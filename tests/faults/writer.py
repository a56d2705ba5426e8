"""A process of many concurrent appenders that says on its standard output what was acknowledged, to be killed at any time.

Run as `python -m tests.faults.writer URL OWNER NAME MARK TASKS`; each line is an id and its position.
"""

from __future__ import annotations

import asyncio
import os
import sys

from clew.records import Partition
from clew.schemes import open_backend

from .ledger import Ledger, write_through


async def main(url: str, owner: str, name: str, mark: str, tasks: int) -> None:
    """Append for ever."""
    backend = await open_backend(url)

    async def never(_: object) -> None:
        await asyncio.Event().wait()

    await write_through(backend, Partition(owner, name), tasks, never, mark=mark, ledger=_Told())


class _Told(Ledger):
    def note(self, id: str, position: int) -> None:
        # One write of less than PIPE_BUF bytes: a kill leaves no half line.
        os.write(1, f"{id} {position}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])))
