"""The suites, put together from their topics."""

from __future__ import annotations

from .commits import CommitTopic
from .cutting import CuttingTopic
from .documents import DocumentTopic
from .dropping import DroppingTopic
from .entries import EntryTopic
from .expiry import ExpirySuite
from .following import FollowTopic
from .leasing import LeasingSuite
from .listing import ListingSuite
from .once import OnceTopic
from .reading import ReadingTopic
from .tenants import TenantTopic
from .values import ValuesSuite


class BackendSuite(
    CommitTopic, DocumentTopic, EntryTopic, CuttingTopic, ReadingTopic, OnceTopic, FollowTopic, DroppingTopic, TenantTopic
):
    """What every backend must do: the seven verbs."""


class EverySuite(BackendSuite, ListingSuite, LeasingSuite, ExpirySuite, ValuesSuite):
    """The seven verbs and every optional power."""


__all__ = ["BackendSuite", "EverySuite", "ExpirySuite", "LeasingSuite", "ListingSuite", "ValuesSuite"]
