"""A process that writes files until it is killed: `python -m tests.files.writer FOLDER NAME VERSIONS`.

Each version is one byte over and over. It prints the version's number when it was acknowledged.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from clew.files import connect_files

SIZE = 3_000_000


async def version(number: int) -> AsyncIterator[bytes]:
    for _ in range(30):
        yield bytes([number % 256]) * (SIZE // 30)


async def main(folder: str, name: str, count: int) -> None:
    async with connect_files(Path(folder).as_uri()) as files:
        for number in range(1, count + 1):
            await files.put((name,), version(number))
            print(number, flush=True)


async def add(folder: str, name: str, count: int) -> None:
    """Add one to a number in a file, many times, by compare-and-set."""
    from clew import ConflictError

    async with connect_files(Path(folder).as_uri()) as files:
        for _ in range(count):
            while True:
                async with await files.get((name,)) as reading:
                    number, etag = int(await reading.read()), reading.info.etag
                try:
                    await files.put((name,), b"%d" % (number + 1), if_match=etag)
                except ConflictError:
                    continue
                break


if __name__ == "__main__":
    work = add if sys.argv[4:] == ["add"] else main
    asyncio.run(work(sys.argv[1], sys.argv[2], int(sys.argv[3])))
