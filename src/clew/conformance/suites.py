"""The suites by what they judge: one for every backend, and one for each optional power."""

from __future__ import annotations

from .cataloguing import CataloguingSuite
from .checkpoints_dropping import DroppingCheckpoints
from .checkpoints_life import LifeOfCheckpoints
from .checkpoints_naming import NamesOfCheckpoints
from .checkpoints_parts import PartsOfCheckpoints
from .checkpoints_putting import PuttingCheckpoints
from .checkpoints_reading import ReadingCheckpoints
from .checkpoints_tracing import TracingCheckpoints
from .checkpoints_writes import WritesOfCheckpoints
from .closing import Closing
from .collecting import CollectingSuite
from .commit import Commits
from .concurrency import Concurrency
from .documents import Documents
from .dropping import Dropping
from .entries import Entries
from .erasing import ErasingSuite
from .expiry import ExpirySuite
from .follow import Following
from .leasing import LeasingSuite
from .listing import ListingSuite
from .once import Once
from .reading import Reading
from .removing import Removing
from .run_events import RunEvents
from .run_leases import RunLeases
from .run_records import RunRecords
from .splicing import SplicingSuite
from .tenants import Tenants
from .unreadable import Unreadable
from .values import ValuesSuite

__all__ = [
    "BackendSuite",
    "CataloguingSuite",
    "CheckpointingSuite",
    "CollectingSuite",
    "ErasingSuite",
    "ExpirySuite",
    "LeasingSuite",
    "ListingSuite",
    "RunsSuite",
    "SplicingSuite",
    "ValuesSuite",
]


class BackendSuite(
    Commits, Documents, Entries, Removing, Reading, Once, Concurrency, Following, Dropping, Tenants, Unreadable, Closing
):
    """What every backend has to do."""


class RunsSuite(RunRecords, RunLeases, RunEvents):
    """What a backend with runs has to do."""


class CheckpointingSuite(
    PuttingCheckpoints,
    PartsOfCheckpoints,
    WritesOfCheckpoints,
    ReadingCheckpoints,
    TracingCheckpoints,
    DroppingCheckpoints,
    LifeOfCheckpoints,
    NamesOfCheckpoints,
):
    """What a backend with checkpoints has to do."""
