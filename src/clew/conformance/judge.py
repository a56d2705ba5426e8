"""Inside the process of `run`: every suite on the store that CLEW_CONFORM_URL names, and a line for each test's outcome."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator

import pytest

from ..backend import Backend
from ..schemes import open_backend
from .report import POWERS
from .suites import EverySuite


class TestUrl(EverySuite):
    """Every suite; those of a power that the backend has not are skipped."""

    @pytest.fixture
    async def backend(self, request: pytest.FixtureRequest) -> AsyncIterator[Backend]:
        """The store, opened anew for each test."""
        from .. import backend as protocols

        opened = await open_backend(os.environ["CLEW_CONFORM_URL"])
        try:
            for power, topic in POWERS.items():
                owner = next(base for base in type(self).__mro__ if request.function.__name__ in vars(base))
                if owner.__module__.endswith(f".{topic}") and not isinstance(opened, getattr(protocols, power)):
                    pytest.skip(f"the backend has no {power}")
            yield opened
        finally:
            await opened.aclose()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Say how a test went, once: at its call, or where its setup or teardown failed or skipped it."""
    if report.when != "call" and report.passed:
        return
    reason = ""
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        reason = str(crash.message if crash is not None else report.longrepr).split("\n", 1)[0][:300]
    said = {"test": report.nodeid.rpartition("::")[2], "outcome": report.outcome, "reason": reason, "seconds": report.duration}
    sys.__stdout__.write(f"\n\x1eclew {json.dumps(said)}\n")
    sys.__stdout__.flush()
