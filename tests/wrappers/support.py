"""Stores around one backend in memory, each with settings of its own, as several programs have them one after the other."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clew.backend import Backend
from clew.backends.sqlite import open_backend
from clew.wrappers import Options, make_coding, wrap


def key(id: str, seed: int = 0) -> str:
    """Return a key as settings have it; the seed tells one of the same id from another."""
    return f"{id}:{base64.b64encode(bytes([seed, *id.encode()]).ljust(32, b'.')).decode()}"


def around(backend: Backend, *keys: str, takes_plain: bool = True, values: bool = False, above: int | None = None) -> Backend:
    """Return a wrapper around a backend with these keys, the newest first."""
    options = Options(",".join(keys) if keys else None, takes_plain, values, above)
    return wrap(backend, options, make_coding(options))


@asynccontextmanager
async def memory() -> AsyncIterator[Backend]:
    """Open an empty backend, which no wrapper stands around."""
    backend = await open_backend("memory://")
    try:
        yield backend
    finally:
        await backend.aclose()
