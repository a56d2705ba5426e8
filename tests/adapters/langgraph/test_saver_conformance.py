"""LangGraph's own suite, whole: what it counts is looked at, since it calls itself passed where it found nothing to run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate

import clew
from clew.adapters.langgraph import ClewSaver

CAPABILITIES = {
    "put": 17,
    "put_writes": 10,
    "get_tuple": 10,
    "list": 16,
    "delete_thread": 5,
    "delete_for_runs": 7,
    "copy_thread": 8,
    "prune": 8,
}
"""Each capability, and how many tests it has: 81 together."""


@pytest.mark.parametrize("kind", ["sqlite", "redis-8.2", "valkey-9.1", "cluster-3"])
async def test_every_capability_is_there_and_passes_every_test(kind: str, url_of: Callable[..., str]) -> None:
    async with clew.connect(url_of(kind)) as store:

        @checkpointer_test(name="clew")
        async def made() -> AsyncIterator[ClewSaver]:
            yield ClewSaver(store, owner="ada")

        report = await validate(made)
    results = report.to_dict()["results"]
    assert {name: result["failures"] for name, result in results.items() if result["failures"]} == {}
    assert {name: result["tests_passed"] for name, result in results.items() if result["detected"]} == CAPABILITIES
    assert sum(result["tests_failed"] + result["tests_skipped"] for result in results.values()) == 0
    assert report.passed_all()
