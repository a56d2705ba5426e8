"""A real store in memory that a test takes away and brings back, and that loses answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clew.backends.sqlite import SqliteBackend
from clew.backends.sqlite.address import parse_address
from clew.errors import UnavailableError
from clew.records import Change, Commit, Once, Partition


class Faulty(SqliteBackend):
    """Outlives whoever closes it, as a server does: `end` closes it.

    Attributes:
        is_away: whether nothing is reached.
        losing: how many commits from now on are done, and their answers lost.
        tries: how many commits were asked for.
        tokens: those of the commits that were done or repeated.
    """

    def __init__(self) -> None:
        super().__init__(parse_address("memory://"))
        self.is_away = False
        self.losing = 0
        self.tries = 0
        self.tokens: list[str | Once | None] = []
        self.refusing: dict[bytes, Exception] = {}

    @property
    def fails_in_part(self) -> bool:
        return False

    async def commit(
        self,
        partition: Partition,
        changes: Sequence[Change],
        *,
        expect: int | None = None,
        once: str | Once | None = None,
        listed: bool = False,
    ) -> Commit:
        self.tries += 1
        self._check()
        done = await super().commit(partition, changes, expect=expect, once=once, listed=listed)
        self.tokens.append(once)
        if self.losing:
            self.losing -= 1
            raise UnavailableError("the answer is lost", lost=True)
        return done

    async def fetch(self, *arguments: Any, **named: Any) -> Any:
        self._check()
        return await super().fetch(*arguments, **named)

    async def read(self, *arguments: Any, **named: Any) -> Any:
        self._check()
        return await super().read(*arguments, **named)

    def _check(self) -> None:
        if self.is_away:
            raise UnavailableError("the store is away")

    async def aclose(self) -> None:
        """The server goes on."""

    async def end(self) -> None:
        await super().aclose()
