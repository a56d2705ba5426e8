"""Retention in the background of the service: once in an hour whoever asks, and threads with attachments whole."""

from __future__ import annotations

from pathlib import Path

import pytest

import clew
from clew.adapters.chatkit.threads import HAS_ATTACHMENTS
from clew.records import Partition
from clew.service.retaining import EVERY_S, Retainer, read_policy
from clew.testing import FixedClock, memory_store


async def test_one_instance_of_many_applies_the_policy_in_an_hour(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("[user]\nidle_days = 30\n")
    policy = read_policy(str(tmp_path / "policy.toml"))
    asked: list[Partition] = []

    async def delete(partition: Partition) -> None:
        asked.append(partition)

    clock = FixedClock()
    async with memory_store(clock=clock) as store:
        await store.threads.create("ada", id="idle")
        await store.threads.create("ada", id="attached", notes={HAS_ATTACHMENTS: True})
        one, other = (Retainer(policy, lambda: store, delete) for _ in range(2))
        done = await one.look()
        assert done is not None
        assert (done.deleted, asked) == (2, [Partition("ada", "attached")])
        assert await other.look() is None
        clock.advance(EVERY_S)
        assert await other.look() is not None


def test_a_policy_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(clew.InvalidError, match="CLEW_RETENTION"):
        read_policy(str(tmp_path / "nowhere.toml"))
