"""What a server process watches for its clients: a share for each owner, given back when it is not watched any more."""

from __future__ import annotations

import pytest
from mcp.shared.exceptions import MCPError

import clew
from clew import Ref, Store
from clew.mcp import Watching, watching
from clew.mcp.watching import end

from ..support import wait_until


async def test_nobody_takes_what_others_may_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_OF_ONE", 2)
    async with clew.connect("memory://") as store:

        async def open_store() -> Store:
            return store

        async def tell() -> None:
            heard.append("news")

        heard: list[str] = []
        for owner in ("ada", "eve"):
            await store.threads.create(owner, id="t")
        watched = Watching(open_store, lambda _: "ada")
        first, _ = [watched.start(Ref("ada", "t"), 0, tell) for _ in range(2)]
        with pytest.raises(MCPError, match="unsubscribe"):
            watched.start(Ref("ada", "t"), 0, tell)
        watched.start(Ref("eve", "t"), 0, tell)
        await end([first])
        watched.start(Ref("ada", "t"), 0, tell)
        await store.items.append(Ref("ada", "t"), clew.NewItem.json("hello"))
        await wait_until(lambda: len(heard) == 2)
        await watched.aclose()
