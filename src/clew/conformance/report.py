"""Judging what a URL names: the suites run by pytest in a process of their own, and what came out.

The process is fresh, so that the caller's event loop, plugins and settings decide nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from ..settings import mask_url

POWERS: Final = {"Listing": "listing", "Leasing": "leasing", "Expiry": "expiry", "Values": "values"}


@dataclass(frozen=True, slots=True)
class Report:
    """What the suites found.

    Attributes:
        url: the store, credentials masked.
        level: "full" (the verbs and every power), "core" (the verbs, and not every power), or "failed".
        passed, failed, skipped: how many tests.
        failures: each failed test, and why, in a line.
        seconds: how long it took.
    """

    url: str
    level: str
    passed: int
    failed: int
    skipped: int
    failures: tuple[tuple[str, str], ...] = field(default=())
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {
            "url": self.url,
            "level": self.level,
            "passed": self.passed,
            "failed": self.failed,
            "skipped": self.skipped,
            "failures": [{"test": test, "reason": reason} for test, reason in self.failures],
            "seconds": round(self.seconds, 2),
        }


def run(url: str, *, on_test: Callable[[str, str], None] | None = None, topics: str = "") -> Report:
    """Judge the store that a URL names. It is written to under names of the suite's own, which are deleted again.

    Args:
        url: as `clew.connect` takes it.
        on_test: called after each test with its name and "passed", "failed" or "skipped".
        topics: an expression of pytest's `-k`, to run some tests only.

    Raises:
        MissingExtraError: pytest is not installed.
    """
    with TemporaryDirectory(prefix="clew-conform-") as folder:
        judge = Path(folder) / "test_judge.py"
        judge.write_text("from clew.conformance.judge import TestUrl  # noqa: F401\n", encoding="utf-8")
        (Path(folder) / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n", encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "clew.conformance.judge",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
        ]
        command += ["--rootdir", folder, "-c", str(Path(folder) / "pytest.ini"), str(judge)]
        if topics:
            command += ["-k", topics]
        environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment | {"CLEW_CONFORM_URL": url},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        counts = {"passed": 0, "failed": 0, "skipped": 0}
        failures: list[tuple[str, str]] = []
        seconds = 0.0
        rest: list[str] = []
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                if not line.startswith("\x1eclew "):
                    rest.append(line)
                    continue
                said = json.loads(line.removeprefix("\x1eclew "))
                outcome, test = said["outcome"], said["test"]
                counts[outcome] += 1
                seconds += said["seconds"]
                if outcome == "failed":
                    failures.append((test, said["reason"]))
                if on_test is not None:
                    on_test(test, outcome)
        process.wait()
    if not sum(counts.values()):
        failures.append(("collection", " ".join("".join(rest).split())[-300:] or "no test ran"))
        counts["failed"] = 1
    level = "failed" if counts["failed"] else "core" if counts["skipped"] else "full"
    return Report(mask_url(url), level, counts["passed"], counts["failed"], counts["skipped"], tuple(failures), seconds)
