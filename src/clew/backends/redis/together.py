"""Appends to many logs of one server in one script call, which costs the server less than a call for each.

Only what goes in the same trip anyway is put together, so nobody waits longer for it. One that fails because of another is sent
again by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ...errors import ClosedError, FullError, UnavailableError
from .appends import AppendRequest
from .requests import Reply, Request
from .scripts import Script

FEWEST: Final = 3
"""Fewer than these go by themselves."""
MOST: Final = 64
"""Appends in one call, during which the server does nothing else."""


class Together(Request):
    """Some appends as one request; each has its answer, or its failure."""

    durable = True

    def __init__(self, appends: Sequence[AppendRequest], script: Script, send: Callable[[Request], None]) -> None:
        # Not by the base class: it has no payload before it goes, and no future of its own.
        self.key = appends[0].key
        self.deadline = min([each.deadline for each in appends])
        self.script = script
        self._appends = appends
        self._send = send

    def seal(self) -> bytes:
        """See Request.seal."""
        appends = self._appends
        words = [each.seal_among(self.attempts) for each in appends]
        keys = b"".join([each.head.keys for each in appends])
        assert self.script is not None
        number = b"%d" % (1 + 7 * len(appends))
        count = 4 + 14 * len(appends) + sum([each.entries for each in appends])
        call = b"*%d\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$%d\r\n%b\r\n" % (count, self.script.sha, len(number), number)
        return self.lead + call + appends[0].head.listing + keys + b"".join(words)

    def settle(self, replies: list[Reply]) -> None:
        """See Request.settle."""
        for each, reply in zip(self._appends, replies[-1], strict=True):
            each.settle([reply])

    def conclude(self, replies: list[Reply], error: BaseException) -> None:
        """See Request.conclude."""
        for each, reply in zip(self._appends, replies[-1], strict=True):
            each.conclude([reply], error)

    def fail(self, error: BaseException) -> None:
        """See Request.fail. What is wrong with one of them is none of the others' business, so each is tried alone."""
        alone = not isinstance(error, UnavailableError | FullError | ClosedError)
        for each in self._appends:
            if alone and isinstance(error, Exception):
                # Some were done, perhaps.
                each.attempts = 1
                self._send(each)
            else:
                each.fail(error)


def put_together(batch: list[Request], script: Script, send: Callable[[Request], None]) -> list[Request]:
    """Return the requests of a trip with the appends among them put together, those that share a listing."""
    groups: dict[bytes, list[AppendRequest]] = {}
    others: list[Request] = []
    for request in batch:
        # What is sent again goes alone: it may have failed for what was together with it.
        if type(request) is AppendRequest and not request.attempts and not request.loads:
            group = groups.get(request.head.listed)
            if group is None:
                groups[request.head.listed] = [request]
            else:
                group.append(request)
        else:
            others.append(request)
    for group in groups.values():
        # Calls of one size: while the server is at one, the client is at the answers of the one before.
        calls = -(-len(group) // MOST)
        for number in range(calls):
            part = group[number::calls]
            others += [Together(part, script, send)] if len(part) >= FEWEST else part
    return others
