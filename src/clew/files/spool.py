"""A stream that has to be whole before it goes on: held on the disk meanwhile, so that slow senders take no memory."""

from __future__ import annotations

import tempfile
from types import TracebackType
from typing import IO, Self

from .faults import fault_of
from .waiting import run_thread


class Spool:
    """Pieces of one stream, in a file without a name, which is gone when it is closed or the process ends. Use `async with`."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self.size = 0

    async def add(self, piece: bytes) -> None:
        """Append a piece. FullError where the disk takes no more."""
        try:
            await run_thread(lambda: self._write(piece))
        except OSError as e:
            raise fault_of(e, "the folder for temporary files") from e
        self.size += len(piece)

    async def read(self) -> bytes:
        """Return all of it."""
        return await run_thread(self._read)

    def _write(self, piece: bytes) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # it is closed with the spool
        view = memoryview(piece)
        while view:
            view = view[self._file.write(view) :]

    def _read(self) -> bytes:
        if self._file is None:
            return b""
        self._file.seek(0)
        return self._file.read()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
