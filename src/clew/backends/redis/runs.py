"""Runs on Redis: a stream for each run's log, a hash for its record, and one script for each verb that writes.

The ids are given by the writer and are the stream's own, so that Redis itself recognises what was sent before and refuses
what comes too late. Appends of many runs that wait for the same moment go out in one trip, as all requests do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from ...errors import AlreadyExistsError, ConflictError, FencedError, GoneError, NotFoundError
from ...limits import check_id, check_ttl
from ...records import Partition
from ...run_limits import check_end, check_events, check_retention, check_run_data
from ...runs import INTERRUPTED, NOWHERE, START, TAKEOVER, Retention, Run, RunEvent
from .keys import decode_part
from .requests import Reply
from .runs_following import RunFollowVerbs
from .runs_keys import RunKeys, run_keys
from .runs_reading import prune
from .runs_records import decode_run, encode_value


class RunVerbs(RunFollowVerbs):
    """Running."""

    async def start_run(
        self,
        partition: Partition,
        run: str,
        holder: str,
        *,
        lease_ms: int,
        takes_turn: bool,
        retention: Retention,
        data: bytes = b"",
    ) -> Run:
        """See Running.start_run."""
        keys = run_keys(self.options.namespace, partition, run)
        check_id(holder, "the holder")
        check_retention(retention)
        check_run_data(data)
        kept = (retention.open_ms, retention.ended_ms, retention.record_ms, retention.max_events)
        first = encode_value(START, b"", NOWHERE)
        client = await self._client()
        arguments = (keys.name, holder, check_ttl(lease_ms), int(takes_turn), *kept, data, first)
        reply = await client.run("run_start", keys.all, arguments)
        if reply[0] == b"exists":
            raise AlreadyExistsError(f"{partition.name!r} has a run {run!r} already: follow it, or take another id")
        if reply[0] == b"turn":
            other = decode_part(reply[1].decode())
            raise ConflictError(f"the run {other!r} has the turn in {partition.name!r}: wait for its end", actual=other)
        if len(reply) > 3:
            await prune(client, keys, reply[3])
        return _record(partition, run, keys, reply)

    async def append_events(self, partition: Partition, run: Run, events: Sequence[RunEvent]) -> None:
        """See Running.append_events."""
        keys = run_keys(self.options.namespace, partition, run.id)
        check_events(run, events)
        client = await self._client()
        words: list[bytes | str | int] = [keys.told, client.publish, run.retention.open_ms, run.retention.max_events]
        for event in events:
            words += (b"%d-%d" % event.at, encode_value(event.kind, event.data))
        reply = await client.run("run_append", (keys.stream,), words)
        if reply == b"ok":
            return
        if reply == b"fenced":
            raise _fenced(run.id)
        # The log is not there: the record tells whether the run is, and the tombstone whether the thread is.
        found = await self.find_run(partition, run.id)
        if not found.is_open or found.epoch != run.epoch:
            raise _fenced(run.id)
        raise NotFoundError(f"the log of the run {run.id!r} has vanished: start another run")

    async def end_run(self, partition: Partition, run: Run, end: RunEvent) -> Run:
        """See Running.end_run."""
        keys = run_keys(self.options.namespace, partition, run.id)
        check_end(run, end)
        client = await self._client()
        id, value = b"%d-%d" % end.at, encode_value(end.kind, end.data)
        arguments = (keys.name, run.epoch, id, end.kind, end.data, value, keys.told, keys.stop, client.publish)
        return _record(partition, run.id, keys, await client.run("run_end", keys.all, arguments))

    async def renew_run(self, partition: Partition, run: Run, *, lease_ms: int) -> Run:
        """See Running.renew_run."""
        keys = run_keys(self.options.namespace, partition, run.id)
        arguments = (keys.name, run.epoch, check_ttl(lease_ms))
        client = await self._client()
        return _record(partition, run.id, keys, await client.run("run_renew", keys.all, arguments))

    async def claim_run(self, partition: Partition, run: str, holder: str, *, lease_ms: int) -> Run:
        """See Running.claim_run."""
        keys = run_keys(self.options.namespace, partition, run)
        check_id(holder, "the holder")
        client = await self._client()
        arguments = (keys.name, holder, check_ttl(lease_ms), TAKEOVER, keys.told, keys.stop, client.publish)
        reply = await client.run("run_claim", keys.all, arguments)
        if reply[0] == b"ended":
            state = reply[1].decode()
            raise ConflictError(f"the run {run!r} has ended ({state}): start another one", actual=state)
        if reply[0] == b"held":
            raise ConflictError(f"the producer of the run {run!r} has a lease: wait until it runs out", actual=reply[1].decode())
        if reply[0] == b"lost":
            raise NotFoundError(f"the log of the run {run!r} has vanished: there is nothing to go on from")
        return _record(partition, run, keys, reply)

    async def interrupt_run(self, partition: Partition, run: str, data: bytes = b"") -> Run:
        """See Running.interrupt_run."""
        keys = run_keys(self.options.namespace, partition, run)
        check_run_data(data, "a terminal event")
        client = await self._client()
        arguments = (keys.name, INTERRUPTED, data, keys.told, keys.stop, client.publish)
        return _record(partition, run, keys, await client.run("run_interrupt", keys.all, arguments))

    async def cancel_run(self, partition: Partition, run: str) -> Run:
        """See Running.cancel_run."""
        keys = run_keys(self.options.namespace, partition, run)
        client = await self._client()
        return _record(partition, run, keys, await client.run("run_cancel", keys.all, (keys.stop, client.publish)))


def _record(partition: Partition, run: str, keys: RunKeys, reply: Reply) -> Run:
    """Return the record in a script's reply, or raise what its refusal means."""
    if reply[0] == b"ok":
        return decode_run(keys.name, reply[1], reply[2])
    _refuse(partition, run, reply[0])


def _refuse(partition: Partition, run: str, status: bytes) -> NoReturn:
    if status == b"gone":
        raise GoneError(f"{partition.name!r} has been deleted")
    if status == b"fenced":
        raise _fenced(run)
    if status == b"absent":
        raise NotFoundError(f"there is no run {run!r} in {partition.name!r} for this owner, or no such thread")
    raise AssertionError(f"no script answers {status!r}")


def _fenced(run: str) -> FencedError:
    return FencedError(f"the run {run!r} has ended, or has a newer producer: stop")
