"""`conformance`: LangGraph's own suite on each engine, whole: what fails, and what is not there.

The newest one that is released is a package of the dev group. One that is not released yet, from a checkout of LangGraph's
repository, is run as well where `CLEW_BENCH_CONFORMANCE` names its folder (`libs/checkpoint-conformance`).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from servers import start

from ..measure import tell
from ..report import Row, judge, miss
from ..topics import Plan, Topic

NAME: Final = "conformance"
PACKAGE: Final = "langgraph-checkpoint-conformance"
FOLDER: Final = "CLEW_BENCH_CONFORMANCE"
ENGINES: Final = ("sqlite", "redis-8.2", "valkey-9.1", "cluster-3")


async def run(plan: Plan) -> list[Row]:
    """Measure `conformance`, once on each engine."""
    rows: list[Row] = []
    released, newest = f"{NAME}/released", f"{NAME}/newest"
    folder = os.environ.get(FOLDER)
    for engine in ENGINES:
        suites = (released,) if folder is None else (released, newest)
        wanted = [name for name in (f"{suite}/{engine}" for suite in suites) if plan.wants(name)]
        if not wanted:
            continue
        with _start(engine) as url:
            for name in wanted:
                rows.append(await _judge(name, url, None if name.startswith(released) else folder))
    if not rows:
        # Asked for alone: what nobody asked for in particular needs no row.
        rows.append(miss(newest, f"{FOLDER} names no checkout of LangGraph's libs/checkpoint-conformance"))
    return sorted(rows, key=lambda row: not row.name.startswith(released))


async def _judge(name: str, url: str, folder: str | None) -> Row:
    tell(name)
    report = await asyncio.to_thread(_run_suite, url, folder)
    results: dict[str, dict[str, Any]] = report["results"]
    passed = sum(result["tests_passed"] for result in results.values())
    failed = sum(result["tests_failed"] for result in results.values())
    absent = [capability for capability, result in results.items() if not result["detected"]]
    suite = f"{PACKAGE} {version(PACKAGE)}" if folder is None else f"{PACKAGE} from {FOLDER}"
    note = f"{passed} tests of {len(results)} capabilities passed, {failed} failed, not there: {len(absent)}; {suite}"
    return judge(name, failed + len(absent), passed, passed + failed, 1, note=note, unit="failed")


def _run_suite(url: str, folder: str | None) -> dict[str, Any]:
    environment = dict(os.environ)
    if folder is not None:
        if not (Path(folder) / "langgraph/checkpoint/conformance").is_dir():
            raise RuntimeError(f"{FOLDER} names {folder}, which has no langgraph/checkpoint/conformance")
        # The folders of `langgraph` are a namespace, whose parts are looked for in this order.
        environment["PYTHONPATH"] = os.pathsep.join([folder, *filter(None, [environment.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "bench.langgraph.suite", url]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False, timeout=600)
    if done.returncode:
        raise RuntimeError(f"the suite ended with {done.returncode}: its error stands above")
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


@contextmanager
def _start(engine: str) -> Iterator[str]:
    if engine == "sqlite":
        with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
            yield f"sqlite:///{folder}/clew.db"
    else:
        with start(engine) as server:
            yield server.url


TOPIC: Final = Topic((f"{NAME}/released", f"{NAME}/newest"), run)
