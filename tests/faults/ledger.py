"""What writers were told, against what the store holds: lost, doubled, moved or out of order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from clew.backend import Backend
from clew.codec import make_entry
from clew.errors import NotReplicatedError, UnavailableError
from clew.records import Append, Entry, Partition
from tests.support import wait_until

LOG = "items"
VERDICTS: list[str] = []
"""What every ledger of this run found, for the report at its end."""


class Placed(Protocol):
    """What was read: an id, and where it stands. An Entry is one."""

    @property
    def id(self) -> str: ...
    @property
    def position(self) -> int: ...


@dataclass(frozen=True)
class Verdict:
    """How many items were acknowledged and found, and how many of them are wrong in each way."""

    acknowledged: int
    found: int
    lost: int
    doubled: int
    out_of_order: int

    def __str__(self) -> str:
        return (
            f"verify: acknowledged {self.acknowledged}, found {self.found}, "
            f"lost {self.lost}, doubled {self.doubled}, out of order {self.out_of_order}"
        )

    @property
    def clean(self) -> bool:
        """Whether every acknowledged item is there once, in order."""
        return self.lost == self.doubled == self.out_of_order == 0


@dataclass
class Ledger:
    """The acknowledged items of one log: the position that each id was given.

    Ids are `<writer>.<number>`; a writer begins the next number when the one before was acknowledged.
    """

    positions: dict[str, int] = field(default_factory=dict)
    troubles: list[Exception] = field(default_factory=list)

    def note(self, id: str, position: int) -> None:
        """Note what the store acknowledged."""
        self.positions[id] = position

    async def grow(self, more: int, timeout: float = 20) -> None:  # noqa: ASYNC109
        """Wait until `more` items than now are acknowledged."""
        enough = len(self.positions) + more
        await wait_until(lambda: len(self.positions) >= enough, timeout)

    def verify(self, entries: Sequence[Placed]) -> Verdict:
        """Compare with all that the log holds, in the order read; print and return the verdict."""
        ids = [entry.id for entry in entries]
        stands = {entry.id: entry.position for entry in entries}
        moved = sum(1 for id, position in self.positions.items() if stands.get(id, position) != position)
        newest: dict[str, int] = {}
        for id in ids:
            writer, _, number = id.partition(".")
            moved += int(number) < newest.get(writer, -1)
            newest[writer] = max(int(number), newest.get(writer, -1))
        places = [entry.position for entry in entries]
        moved += sum(1 for one, next in pairwise(places) if next <= one)
        lost = sum(1 for id in self.positions if id not in stands)
        verdict = Verdict(len(self.positions), len(ids), lost, len(ids) - len(set(ids)), moved)
        print(verdict)
        VERDICTS.append(f"{verdict}  ({os.environ.get('PYTEST_CURRENT_TEST', '').partition('::')[2].partition(' ')[0]})")
        return verdict


async def append_until(stop: asyncio.Event, backend: Backend, partition: Partition, writer: str, ledger: Ledger) -> None:
    """Append one item after the other until `stop` is set; what is not acknowledged is asked again with the same id."""
    number = 0
    while not stop.is_set():
        id = f"{writer}.{number}"
        entry = make_entry(id, b'{"text":"' + id.encode() * 20 + b'"}')
        while True:
            try:
                commit = await backend.commit(partition, [Append(LOG, entry)])
            except (UnavailableError, NotReplicatedError) as error:
                ledger.troubles.append(error)
                if stop.is_set():
                    return
                await asyncio.sleep(0.02)
                continue
            ledger.note(id, abs(commit.outcomes[0]))
            break
        number += 1


async def write_through(
    backend: Backend,
    partition: Partition,
    writers: int,
    trouble: Callable[[Ledger], Awaitable[object]],
    *,
    mark: str = "w",
    ledger: Ledger | None = None,
) -> Ledger:
    """Let `writers` tasks append while `trouble` happens, and return the ledger."""
    stop = asyncio.Event()
    ledger = Ledger() if ledger is None else ledger
    async with asyncio.TaskGroup() as group:
        for number in range(writers):
            group.create_task(append_until(stop, backend, partition, f"{mark}{number}", ledger))
        try:
            await trouble(ledger)
        finally:
            stop.set()
    return ledger


async def read_all(backend: Backend, partition: Partition) -> list[Entry]:
    """Return every entry of the log, page by page."""
    entries: list[Entry] = []
    while True:
        page = await backend.read(partition, LOG, after=entries[-1].position if entries else None, limit=1000)
        entries += page.entries
        if not page.has_more:
            return entries
