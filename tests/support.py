"""What many tests need: to wait for a condition, and to name things that nobody else has."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Awaitable, Callable
from typing import NoReturn

import pytest

import servers
from clew.ids import new_id
from clew.records import Partition


async def wait_until(predicate: Callable[[], object | Awaitable[object]], timeout: float = 10) -> None:  # noqa: ASYNC109
    """Return when `predicate()`, awaited where it is awaitable, is true; AssertionError after `timeout` seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    while True:
        answer = predicate()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return
        assert loop.time() < end, f"waited {timeout} seconds in vain for {getattr(predicate, '__name__', predicate)}"
        await asyncio.sleep(0.01)


def threads_of_stores() -> list[str]:
    """Return the names of the threads that stores have now. A bridge is none: it ends with its last synchronous caller."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("clew-") and name != "clew-bridge"]


def do_without(error: Exception, optional: bool = False) -> NoReturn:
    """Skip the test for a program that this machine lacks; in CI, where every program must be, fail it unless it is optional."""
    if os.environ.get("CI") and not optional:
        pytest.fail(str(error))
    pytest.skip(str(error))


def find_program(name: str) -> servers.Binary:
    """Return a server's program, one of those that `servers.find` knows; `do_without` where it is missing."""
    try:
        return servers.find(name)
    except servers.MissingBinaryError as error:
        do_without(error)


def fresh_partition(owner: str = "owner") -> Partition:
    """Return a partition that nobody else uses."""
    return Partition(f"{owner}-{new_id()}", f"thread-{new_id()}")


def with_options(url: str, **options: str | float) -> str:
    """Return the URL with these options added."""
    added = "&".join(f"{name}={value}" for name, value in options.items())
    return f"{url}{'&' if '?' in url else '?'}{added}" if added else url
