"""Following runs: subscribe, wait for the acknowledgement, read the log after the cursor, then go on with what is heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from ...errors import ClosedError, NotFoundError
from ...records import Partition
from ...run_limits import check_after
from ...runs import NOWHERE, EventId, EventPage, Run, RunEvent
from .client import Client
from .following import FollowVerbs
from .runs_feeds import Feed, Pace
from .runs_keys import RunKeys, run_keys
from .runs_reading import RunReadVerbs


class RunFollowVerbs(RunReadVerbs, FollowVerbs):
    """Following runs."""

    _feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bytes, Feed]]

    async def follow_events(self, partition: Partition, run: str, *, after: EventId | None = None) -> AsyncGenerator[RunEvent]:
        """See Running.follow_events."""
        cursor = check_after(after)
        keys = run_keys(self.options.namespace, partition, run)
        client = await self._client()
        with self._feed(client, partition, run, keys) as feed:
            await self._hub(client).heard(feed.channel, self.options.timeout)
            if cursor != NOWHERE and await self._check_cursor(partition, run, cursor):
                return
            pace = Pace()
            while True:
                seen = feed.moves
                events = feed.after(cursor)
                if events is None:
                    try:
                        events = await self._read_on(partition, run, cursor, feed, pace)
                    except NotFoundError:
                        events = ()
                        if not feed.dropped:
                            raise
                for event in events:
                    yield event
                    cursor = event.at
                    if event.is_end:
                        return
                if not events:
                    await feed.wait(seen)

    def newest_event(self, partition: Partition, run: str) -> EventId | None:
        """See Hearing.newest_event."""
        told = run_keys(self.options.namespace, partition, run).told
        found = [feed.last for feeds in list(self.__dict__.get("_feeds", {}).values()) if (feed := feeds.get(told)) is not None]
        return max((last for last in found if last is not None), default=None)

    async def await_stop(self, partition: Partition, run: Run) -> Run:
        """See Running.await_stop."""
        keys = run_keys(self.options.namespace, partition, run.id)
        client = await self._client()
        hub = self._hub(client)
        poked = asyncio.Event()

        def ear(_: bytes | None) -> None:
            poked.set()

        hub.listen(keys.stop, ear, sharded=client.shards)
        try:
            await hub.heard(keys.stop, self.options.timeout)
            while True:
                poked.clear()
                found = await self.find_run(partition, run.id)
                if found.cancel_ms is not None or not found.is_open or found.epoch != run.epoch:
                    return found
                await poked.wait()
                if hub.closed:
                    raise ClosedError("this store was closed: connect again")
        finally:
            hub.leave(keys.stop, ear)

    async def _read_on(self, partition: Partition, run: str, cursor: EventId, feed: Feed, pace: Pace) -> Sequence[RunEvent]:
        """Return the next events of the log, and tell the feed where it ends."""
        renewals = feed.renewals
        page = await self._read_log(partition, run, cursor, pace.count)
        pace.note(page)
        if not page.has_more:
            feed.seed(page.events[-1].at if page.events else cursor, renewals)
        return page.events

    @contextmanager
    def _feed(self, client: Client, partition: Partition, run: str, keys: RunKeys) -> Iterator[Feed]:
        """Hold the run's feed, which is there while somebody does."""
        if "_feeds" not in self.__dict__:
            self._feeds = WeakKeyDictionary()
        feeds = self._feeds.setdefault(client.loop, {})
        hub = self._hub(client)
        feed = feeds.get(keys.told)
        if feed is None:

            async def read(cursor: EventId, limit: int) -> EventPage:
                return await self._read_log(partition, run, cursor, limit)

            feed = Feed(hub, keys, read)
            hub.listen(feed.channel, feed.hear, sharded=client.shards)
            feeds[keys.told] = feed
        feed.readers += 1
        try:
            yield feed
        finally:
            feed.readers -= 1
            if not feed.readers:
                del feeds[keys.told]
                hub.leave(feed.channel, feed.hear)
                feed.close()
