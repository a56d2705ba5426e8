"""Judge a store by its URL: pytest in a process of its own, and a report of what it found."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ..errors import InvalidError
from ..schemes import SCHEMES
from ..settings import mask_url
from .judging import MARK, URL_VARIABLE, Outcome

JSON = dict[str, str | int | dict[str, str] | list[dict[str, str]]]


@dataclass(frozen=True)
class Report:
    """What the suite found.

    Attributes:
        url: the store, credentials masked.
        level: `full`: it passes everything; `core`: it passes what every backend has to, but not every optional power,
            or does not have them all; `failed`: it does not pass the core.
        passed, failed, skipped: counts of tests; those of a power that the backend does not have are skipped.
        failures: the name of each failed test, and a line of why.
        powers: `passed`, `failed` or `absent` for the core and each optional power.
    """

    url: str
    level: str
    passed: int
    failed: int
    skipped: int
    failures: list[tuple[str, str]] = field(default_factory=list)
    powers: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> JSON:
        """Return it as plain JSON values."""
        return {
            "url": self.url,
            "level": self.level,
            "powers": dict(self.powers),
            "passed": self.passed,
            "failed": self.failed,
            "skipped": self.skipped,
            "failures": [{"test": test, "reason": reason} for test, reason in self.failures],
        }


def run(url: str, *, on_test: Callable[[str, str], None] | None = None, topics: str = "") -> Report:
    """Run every suite against the store at `url`, and report. It writes under names of its own, and drops them.

    Args:
        url: as for `clew.connect`.
        on_test: called with the name of each test and `passed`, `failed` or `skipped`, as it ends.
        topics: an expression of pytest's `-k`, to run some tests only.

    Raises:
        InvalidError: an unknown scheme.
        RuntimeError: pytest did not run to its end; the message has what it said.
    """
    scheme = url.partition(":")[0]
    if scheme not in SCHEMES:
        raise InvalidError(f"unknown store {mask_url(url)}: use one of {', '.join(f'{name}://' for name in SCHEMES)}")
    outcomes: list[Outcome] = []
    with tempfile.TemporaryFile() as said:
        # By the environment and not by the command line, where others may read a password.
        environment = {**os.environ, URL_VARIABLE: url, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
        command = [
            sys.executable,
            "-m",
            "pytest",
            *_arguments(),
            "-p",
            f"{__package__}.telling",
            *(["-k", topics] if topics else []),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if not line.startswith(MARK):
                    said.write(line)
                    continue
                outcome = msgspec.json.decode(line[len(MARK) :], type=Outcome)
                outcomes.append(outcome)
                if on_test is not None:
                    on_test(outcome.test, outcome.outcome)
        if process.returncode not in (0, 1) or not outcomes:
            said.seek(0)
            raise RuntimeError(f"pytest ended with {process.returncode}:\n{said.read().decode(errors='replace')[-4000:]}")
    return make_report(url, outcomes)


def make_report(url: str, outcomes: list[Outcome]) -> Report:
    """Return the report of these outcomes."""
    powers: dict[str, str] = {}
    for each in outcomes:
        rank = {"skipped": "absent"}.get(each.outcome, each.outcome)
        if powers.get(each.power, "absent") == "absent" or rank == "failed":
            powers[each.power] = rank
    failures = [(each.test, each.reason) for each in outcomes if each.outcome == "failed"]
    level = "failed" if powers.get("backend") != "passed" else "full" if set(powers.values()) == {"passed"} else "core"
    counts = {name: sum(each.outcome == name for each in outcomes) for name in ("passed", "failed", "skipped")}
    return Report(mask_url(url), level, **counts, failures=failures, powers=powers)


def _arguments() -> list[str]:
    folder = Path(__file__).parent
    options = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "-o", "python_files=everything.py"]
    plugins = ["-p", "pytest_asyncio.plugin", "-p", "no:terminal", "-p", "no:cacheprovider"]
    return ["-c", os.devnull, "--rootdir", str(folder), *options, *plugins, "-s", str(folder / "everything.py")]
