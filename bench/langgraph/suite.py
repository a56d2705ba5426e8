"""A program of its own: LangGraph's conformance suite, whichever is found first, on a ClewSaver. It prints its report as JSON.

python -m bench.langgraph.suite URL
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from typing import Any

from langgraph.checkpoint.conformance import checkpointer_test, validate

import clew
from clew.adapters.langgraph import ClewSaver


async def judge(url: str) -> dict[str, Any]:
    """Return the suite's report."""

    @checkpointer_test(name="clew")
    async def savers() -> AsyncGenerator[ClewSaver]:
        async with clew.connect(url) as store:
            yield ClewSaver(store, owner="bench")

    return (await validate(savers)).to_dict()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(judge(sys.argv[1]))))
