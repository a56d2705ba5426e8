"""The plugin that gives the suite its store, and tells the outcome of each test as it ends."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

import msgspec
import pytest

URL_VARIABLE: Final = "CLEW_CONFORMANCE_URL"
MARK: Final = b"clew-conformance "
"""How a line begins that tells an outcome, among whatever else is printed."""


class Outcome(msgspec.Struct, frozen=True):
    """How one test ended: its name, what it judges, `passed`, `failed` or `skipped`, and a line of why."""

    test: str
    power: str
    outcome: str
    reason: str = ""


class Judge:
    """A pytest plugin.

    Args:
        url: the store.
        tell: called with each outcome.
        topics: the modules whose tests are run, as `once`; all for None.
    """

    def __init__(self, url: str, tell: Callable[[Outcome], None], topics: Container[str] | None = None) -> None:
        self._url = url
        self._tell = tell
        self._topics = topics
        self._open: dict[str, Outcome] = {}

    @pytest.fixture(scope="session")
    def store_url(self) -> str:
        """The URL of the store that is judged."""
        return self._url

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the other topics out."""
        if self._topics is not None:
            items[:] = [item for item in items if _module(item).rpartition(".")[2] in self._topics]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst of a test's three parts, and tell it after the last."""
        _, power, test = [*report.nodeid.split("::", 2), "", ""][:3]
        before = self._open.get(report.nodeid)
        name = power.removeprefix("Test").lower()
        if before is None or (report.outcome != "passed" and before.outcome != "failed"):
            self._open[report.nodeid] = Outcome(test, name, report.outcome, _reason(report))
        if report.when == "teardown":
            self._tell(self._open.pop(report.nodeid))


def _module(item: pytest.Item) -> str:
    return item.function.__module__ if isinstance(item, pytest.Function) else ""


def _reason(report: pytest.TestReport) -> str:
    """Return one line of why a test did not pass, of at most 300 characters."""
    if report.outcome == "passed":
        return ""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = (
        crash.message if crash is not None else report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    )
    return " ".join(str(text).split())[:300]
