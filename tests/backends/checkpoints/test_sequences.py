"""Any sequence of calls on checkpoints does what a model of a few lines says, on each engine."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import cast

import pytest

from clew.ids import new_id
from clew.records import Partition
from clew.schemes import open_backend
from clew.testing import WholeBackend

from .player import Player

HAPPENS = ("put", "list", "get", "trace", "drop", "log", "a part is nowhere", "another life", "gone", "fenced", "expect")
"""What all the sequences together have to come upon."""


@pytest.mark.parametrize("kind", ["memory", "redis-8.2"])
async def test_a_sequence_of_calls_does_what_the_model_says(kind: str, url_of: Callable[..., str]) -> None:
    seen: set[str] = set()
    backend = cast(WholeBackend, await open_backend(url_of(kind)))
    try:
        for seed in range(8):
            partition = Partition("owner", f"thread {new_id()}")
            player = Player(backend, partition, random.Random(seed))
            for step in range(130):
                try:
                    await player.play()
                except BaseException as error:
                    error.add_note(f"seed {seed}, step {step}")
                    raise
            seen |= player.done.keys()
            await backend.drop(partition, tombstone_ms=0)
    finally:
        await backend.aclose()
    assert seen.issuperset(HAPPENS)
