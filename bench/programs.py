"""Programs of a benchmark's own: processes that are given lines of words, and answer each with a line of JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

ANSWER_S: Final = 300
"""How long an answer may take."""
LINE_BYTES: Final = 1 << 20
"""The longest answer."""


class Program:
    """One that runs. Its errors go to this process's standard error."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None, "it was started with pipes"
        assert process.stdout is not None, "it was started with pipes"
        self.pid = process.pid
        self._process = process
        self._input = process.stdin
        self._output = process.stdout

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._process.returncode is not None

    async def send(self, *words: object) -> None:
        """Give a line; its answer is to be received."""
        self._input.write((" ".join(str(word) for word in words) + "\n").encode())
        with suppress(ConnectionError):  # that it has ended is what `receive` tells
            await self._input.drain()

    async def receive(self) -> Any:
        """Return the next answer; RuntimeError where the program ended, TimeoutError where none came in five minutes."""
        async with asyncio.timeout(ANSWER_S):
            line = await self._output.readline()
            if not line:
                raise RuntimeError(f"the program ended with {await self._process.wait()}: its error stands above")
        return json.loads(line)

    async def ask(self, *words: object) -> Any:
        """Give a line, and return its answer. Errors are those of `receive`."""
        await self.send(*words)
        return await self.receive()


@asynccontextmanager
async def start_program(*command: str) -> AsyncGenerator[Program]:
    """Start a program. The end of its input tells it to end, within 30 seconds; after an error it is killed."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=LINE_BYTES)
    try:
        yield Program(process)
        assert process.stdin is not None, "it was started with pipes"
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
