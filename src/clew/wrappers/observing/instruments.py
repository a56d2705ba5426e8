"""The metrics of stores, in the registry of the process, so that whoever exposes that has them.

Labels are an operation, how it ended and an engine: never an owner, an id, a key or an address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from ...errors import MissingExtraError

try:
    from prometheus_client import REGISTRY, Counter, Gauge, Histogram
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector
except ImportError as error:
    raise MissingExtraError("metrics", "metrics") from error

BUCKETS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, float("inf")),
)
"""From an append over a local socket to the longest time-out that is usual."""

looks: Final[list[Callable[[], None]]] = []
"""What is done before the metrics are written."""


class _Looker(Collector):
    """It has no metrics: to be asked for them is the moment to look at the stores, before the metrics below are written."""

    def collect(self) -> Iterable[Metric]:
        """Look, and return nothing."""
        for look in looks:
            look()
        return ()

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that to register it looks at nothing."""
        return ()


REGISTRY.register(_Looker())
OPERATION_SECONDS: Final = Histogram(
    "clew_store_operation_duration_seconds",
    "How long operations on the store took, by verb, and by how they ended: ok, pending (a journal has it), or the error's type.",
    ("operation", "outcome", "engine"),
    buckets=BUCKETS,
)
ERRORS: Final = Counter(
    "clew_store_errors_total", "Operations that ended with an error, followers too.", ("operation", "error", "engine")
)
ROUND_TRIPS: Final = Counter(
    "clew_store_round_trips_total", "Round trips to Redis, each with all that went together; transactions on SQLite.", ("engine",)
)
SENT_BYTES: Final = Counter("clew_store_sent_bytes_total", "Bytes sent to the store.", ("engine",))
RECEIVED_BYTES: Final = Counter("clew_store_received_bytes_total", "Bytes received from the store.", ("engine",))
RETRIES: Final = Counter("clew_store_retries_total", "Requests that were sent to the store again.", ("engine",))
CONNECTIONS: Final = Counter(
    "clew_store_connections_opened_total",
    "Connections that were opened to the store, also in the place of lost ones.",
    ("engine",),
)
CONNECTED: Final = Gauge(
    "clew_store_connections", "Connections to the store that are open.", ("engine",), multiprocess_mode="livesum"
)
FOLLOWERS: Final = Gauge("clew_followers", "Who follows a run or a thread just now.", ("kind",), multiprocess_mode="livesum")
FOLLOWED: Final = Counter("clew_followed_events_total", "Events and items that followers were given.", ("kind",))
LAG: Final = Gauge(
    "clew_follower_lag_events",
    "How many events of its run the follower who is furthest behind has not read, of those that this process knows of.",
    multiprocess_mode="livemax",
)
BEHIND: Final = Gauge("clew_followers_behind", "Followers of runs that have not read all of it.", multiprocess_mode="livesum")
DEPTH: Final = Gauge("clew_journal_depth", "Writes that wait in the journal.", multiprocess_mode="livesum")
ASIDE: Final = Gauge("clew_journal_aside", "Writes that the store refused for good.", multiprocess_mode="livesum")
OLDEST: Final = Gauge("clew_journal_oldest_seconds", "How long the oldest write has waited.", multiprocess_mode="livemax")
AWAY: Final = Gauge("clew_store_away", "1 while the journal knows the store to be away.", multiprocess_mode="livemax")
