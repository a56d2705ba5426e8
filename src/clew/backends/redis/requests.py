"""A request on its way to a server: what goes over the wire, and the future of its replies.

It knows no connection: a lane sends it, and its owner decides what becomes of it when that fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import hiredis
from redis.exceptions import ResponseError

from .scripts import Script

REFUSING: Final = frozenset(("append", "appends", "commit", "checkpoint", "drop", "splice"))
REFUSALS: Final = frozenset(
    b"gone absent conflict document entry changed cursor logs gap general made part runs other none large".split()
)
"""What these scripts answer first where they have written nothing: there is nothing to confirm.

Not who has a lease or a run: a primary that was cut off from its replicas knows no longer, and a producer would stop for it.
"""

Reply = Any
"""What hiredis gives: bytes, an int, None, a list of these, or a ResponseError where the command failed."""


class Words(NamedTuple):
    """Some words as they stand in a command, one after another."""

    packed: bytes
    number: int


def pack(*command: bytes | str | int, rest: Words | None = None) -> bytes:
    """Return one command as it goes over the wire; `rest` is the end of it, where that is packed already."""
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]  # its stub forbids a union that it takes
    if rest is None:
        return packed
    return b"*%d%b%b" % (len(command) + rest.number, packed[packed.index(b"\r\n") :], rest.packed)


class Request:
    """Some commands that go out together on one connection, and the future of their replies."""

    replies = 1
    script: Script | None = None
    repeatable = True
    durable = False
    attempts = 0
    faults = 0
    loads = 0
    sent = False
    server = ""
    """The server that is meant, whatever key; empty for the one of the key."""
    lead = b""
    """One command to go before the others just this time: to load the script, or to follow a slot on its move."""

    def seal(self) -> bytes:
        """Return what goes over the wire; called when the trip starts, and nothing may be added after it."""
        return self.lead + self.payload

    def settle(self, replies: list[Reply]) -> None:
        """Give the replies to whoever waits for them."""
        if not self.future.done():
            self.future.set_result(replies)

    def conclude(self, replies: list[Reply], error: BaseException) -> None:
        """Fail with `error`, since what was written is not confirmed; a refusal is told as it is."""
        last, script = replies[-1], self.script
        known = script is not None and script.name in REFUSING
        if known and isinstance(last, list) and last and isinstance(last[0], bytes) and last[0] in REFUSALS:
            self.settle(replies)
        else:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Give whoever waits an error instead."""
        if not self.future.done():
            self.future.set_exception(error)

    def __init__(
        self,
        key: bytes,
        payload: bytes,
        replies: int,
        future: asyncio.Future[list[Reply]],
        deadline: float,
        *,
        script: Script | None = None,
        repeatable: bool = True,
        durable: bool = False,
    ) -> None:
        self.key = key
        self.payload = payload
        self.replies = replies
        self.future = future
        self.deadline = deadline
        self.script = script
        self.repeatable = repeatable
        self.durable = durable


def first_error(replies: Sequence[Reply]) -> ResponseError | None:
    """Return the first reply that is an error, None where there is none."""
    for reply in replies:
        if isinstance(reply, ResponseError):
            return reply
    return None
