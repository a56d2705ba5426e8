"""The conformance suite: what a backend must do to be one, as plain pytest classes.

    from clew.conformance import EverySuite

    class TestMine(EverySuite):
        @pytest.fixture
        async def backend(self):
            backend = await open_mine()
            yield backend
            await backend.aclose()

A backend without an optional power takes BackendSuite and the suites of the powers it has. `run(url)` judges what a URL
names, and `clew conform URL` prints what it finds. Every test makes its own owner and drops what it wrote.
"""

from __future__ import annotations

from ..errors import MissingExtraError

try:
    import pytest  # noqa: F401
    import pytest_asyncio  # noqa: F401
except ImportError as error:
    raise MissingExtraError("clew.conformance", "conformance") from error

from .report import Report, run
from .suites import BackendSuite, EverySuite, ExpirySuite, LeasingSuite, ListingSuite, ValuesSuite

__all__ = ["BackendSuite", "EverySuite", "ExpirySuite", "LeasingSuite", "ListingSuite", "Report", "ValuesSuite", "run"]
