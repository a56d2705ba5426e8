"""What `clew doctor` is told of a Redis store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clew.backend import Describing
from clew.schemes import open_backend
from servers import Server, find


async def describe(url: str) -> dict[str, object]:
    """Return what the store says of itself."""
    backend = await open_backend(url)
    try:
        assert isinstance(backend, Describing)
        return dict(await backend.describe())
    finally:
        await backend.aclose()


async def test_every_kind_of_server_is_described(redis_url: str) -> None:
    facts = await describe(redis_url)
    assert str(facts["engine"]).startswith(("Redis ", "Valkey "))
    assert facts["eviction policy"] == "noeviction"
    assert (facts["role"], facts["last snapshot"], facts["evicted keys"]) == ("primary", "ok", 0)
    assert isinstance(facts["memory used"], int)
    assert facts["memory used"] > 100_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"appendonly": "yes", "appendfsync": "everysec"}, "append-only file, appendfsync everysec"),
        ({"save": "3600 1 300 100"}, "snapshots only, save 3600 1 300 100: a crash loses what came after the last one"),
        ({}, "none"),
    ],
)
async def test_the_persistence_of_the_server_is_told(options: dict[str, str], said: str) -> None:
    with Server(find("valkey-9.1"), options=options) as server:
        assert (await describe(server.url))["persistence"] == said


async def test_what_the_user_may_not_see_is_none() -> None:
    with Server(find("redis-8.2"), users=["alice on >hers ~* &* +@all -config"]) as server:
        facts = await describe(server.url_for("alice", "hers"))
    assert facts["persistence"] is None
    assert facts["eviction policy"] == "noeviction"


async def test_what_a_write_waits_for_is_told(url_of: Callable[..., str]) -> None:
    assert (await describe(url_of("redis-8.2")))["a write waits for"] == "the primary's answer"
    facts = await describe(url_of("redis-8.2", replicas=1, fsync="true"))
    assert facts["a write waits for"] == "1 replica and its own disk"
