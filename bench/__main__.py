"""`python -m bench NAME`: measure, print the table, and exit with 0 where every limit holds, with 1 where one does not."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from .report import Row, format_table, write_json
from .topics import Plan, Topic

NAMES = ("core", "streams", "chatkit", "service", "mcp", "langgraph", "operate")
"""The benchmarks: packages here, each with its `TOPICS`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure clew against its floors and its peers.")
    parser.add_argument("name", choices=NAMES, help="which benchmark")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file as well")
    parser.add_argument("--only", metavar="ROW", help="measure this row alone, or all below it: append-1, page-20-of-100k")
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="rounds of each case, at least 5 (default 15)")
    given = parser.parse_args(arguments)
    if given.rounds < 5:
        parser.error("--rounds must be at least 5: a median of fewer says little")
    topics: Sequence[Topic] = import_module(f"bench.{given.name}").TOPICS
    plan = Plan(given.rounds, given.only)
    wanted = [topic for topic in topics if any(plan.wants(name) for name in topic.names)]
    if not wanted:
        names = ", ".join(name for topic in topics for name in topic.names)
        parser.error(f"there is no row {given.only!r}: use one of {names}")
    rows = asyncio.run(_measure(wanted, plan))
    print(format_table(rows))
    if given.json:
        write_json(rows, given.json)
    failed = [row.name for row in rows if not row.holds]
    if failed:
        print(f"\nOver the limit: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


async def _measure(topics: Sequence[Topic], plan: Plan) -> list[Row]:
    rows: list[Row] = []
    for topic in topics:
        rows += [row for row in await topic.run(plan) if plan.wants(row.name)]
    return rows


if __name__ == "__main__":
    sys.exit(main())
