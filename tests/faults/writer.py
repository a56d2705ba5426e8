"""A process of many concurrent appenders that says on its standard output what was acknowledged, to be killed at any time.

Run as `python -m tests.faults.writer URL OWNER NAME TASKS PARENT_PID`. For each line on its standard input, a mark, it forks
such a process (which spares the start of an interpreter), says `pid NUMBER`, then what that one acknowledges, each an id and
its position, and `end` when it is gone.
"""

from __future__ import annotations

import asyncio
import os
import sys

from clew.records import Partition
from clew.schemes import open_backend
from servers.launcher import die_with_parent

from .ledger import Ledger, write_through


class _Told(Ledger):
    def note(self, id: str, position: int) -> None:
        _say(f"{id} {position}")


def _say(line: str) -> None:
    # One write of less than PIPE_BUF bytes: a kill leaves no half line.
    os.write(1, f"{line}\n".encode())


async def append(url: str, partition: Partition, mark: str, tasks: int) -> None:
    """Append for ever."""
    backend = await open_backend(url)

    async def never(_: Ledger) -> None:
        await asyncio.Event().wait()

    await write_through(backend, partition, tasks, never, mark=mark, ledger=_Told())


def main(url: str, owner: str, name: str, tasks: int) -> None:
    """Fork an appender for each mark that comes in, one after the other."""
    me = os.getpid()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            die_with_parent(me)
            asyncio.run(append(url, Partition(owner, name), line.strip(), tasks))
        _say(f"pid {child}")
        os.waitpid(child, 0)
        _say("end")


if __name__ == "__main__":
    # Imported now, once: a backend is loaded only when its scheme is asked for.
    __import__("clew.backends.redis" if "redis" in sys.argv[1] else "clew.backends.sqlite")
    die_with_parent(int(sys.argv[5]))
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
