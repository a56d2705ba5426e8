"""The tests that every backend has to pass, shipped, so that a third party can judge its own.

Subclass the suites in a test module, give them a fixture `backend`, and run pytest; or judge a URL with `run`.
"""

from __future__ import annotations

from ..errors import MissingExtraError

try:
    import pytest
    import pytest_asyncio  # noqa: F401
except ImportError as error:
    raise MissingExtraError("clew.conformance", "conformance") from error

# Before they are imported: so a failed assert of theirs says what it compared.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.{name}"
        for name in (
            "cataloguing",
            "checkpoints_dropping",
            "checkpoints_life",
            "checkpoints_naming",
            "checkpoints_parts",
            "checkpoints_putting",
            "checkpoints_reading",
            "checkpoints_support",
            "checkpoints_tracing",
            "checkpoints_writes",
            "closing",
            "collecting",
            "commit",
            "concurrency",
            "documents",
            "dropping",
            "entries",
            "erasing",
            "expiry",
            "follow",
            "leasing",
            "listing",
            "once",
            "reading",
            "removing",
            "run_events",
            "run_leases",
            "run_records",
            "run_support",
            "splicing",
            "support",
            "tenants",
            "unreadable",
            "values",
        )
    )
)

from .report import Report, run  # noqa: E402
from .suites import (  # noqa: E402
    BackendSuite,
    CataloguingSuite,
    CheckpointingSuite,
    CollectingSuite,
    ErasingSuite,
    ExpirySuite,
    LeasingSuite,
    ListingSuite,
    RunsSuite,
    SplicingSuite,
    ValuesSuite,
)

__all__ = [
    "BackendSuite",
    "CataloguingSuite",
    "CheckpointingSuite",
    "CollectingSuite",
    "ErasingSuite",
    "ExpirySuite",
    "LeasingSuite",
    "ListingSuite",
    "Report",
    "RunsSuite",
    "SplicingSuite",
    "ValuesSuite",
    "run",
]
