"""ConversationStores on every kind of store, several instances on one, and sessions that count what is asked of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from clew.adapters.routing import ConversationStore
from clew.ids import new_id
from clew.settings import KNOWN, OF_REDIS


class CountedSessions:
    """Sessions in memory, as an agent of a test's own keeps them.

    Attributes:
        alive: the sessions there are, with what each carries.
        made, discarded: what was asked.
        fault: raised by the next `exists`.
    """

    def __init__(self) -> None:
        self.alive: dict[str, str | None] = {}
        self.made: list[str] = []
        self.discarded: list[str] = []
        self.fault: Exception | None = None

    async def exists(self, session_id: str) -> bool:
        """See Sessions.exists."""
        if self.fault is not None:
            raise self.fault
        return session_id in self.alive

    async def create(self, conversation_id: str, *, summary: str | None = None, previous: str | None = None) -> str:
        """See Sessions.create."""
        session_id = f"session-{new_id()}"
        self.alive[session_id] = summary
        self.made.append(session_id)
        return session_id

    async def discard(self, session_id: str) -> None:
        """See Sessions.discard."""
        del self.alive[session_id]
        self.discarded.append(session_id)


Open = Callable[..., ConversationStore]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of whoever runs the tests."""
    for name in (*KNOWN, *OF_REDIS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _nothing_goes_unseen(nothing_goes_unseen: None) -> None:
    """No task of a test is lost in silence."""


@pytest.fixture(params=["sqlite", "redis-6.2", "redis-8.2", "valkey-9.1", "cluster-1"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """Where the store is; several instances may open it."""
    return url_of(request.param)


@pytest.fixture
def sessions() -> CountedSessions:
    """Sessions that are shared by the instances of a test."""
    return CountedSessions()


@pytest.fixture
async def instance() -> AsyncIterator[Open]:
    """`instance(url, **options)`: a ConversationStore, not yet initialized, that is closed after the test."""
    async with AsyncExitStack() as stack:

        def make(url: str, config: dict[str, Any] | None = None, **options: Any) -> ConversationStore:
            made = ConversationStore({"url": url, **(config or {})}, **options)
            stack.push_async_callback(made.close)
            return made

        yield make


@pytest.fixture
async def routing(url: str, instance: Open) -> ConversationStore:
    """One instance, initialized."""
    made = instance(url)
    await made.init()
    return made
