"""Checkpoints of programs in a thread: put beside the items that they refer to, read, walked back, dropped, copied, fenced.

A put is one commit, and a read is one call of the backend. Nothing here knows what a head, a part or a write means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..backend import Backend
from ..checkpointing import WINDOW, Checkpointing, CheckpointPage, Trace
from ..checkpoints import DropCheckpoints, Fenced, PutCheckpoint, PutWrites, Revive, Write
from ..errors import ConflictError, FencedError, GoneError, InvalidError, NotFoundError
from ..limits import MAX_CHANGES
from ..model import NewItem, ThreadKey
from ..records import PRESENT, Change, Commit, Lease, Partition
from . import copying
from .appending import ATTEMPTS
from .checks import need_checkpointing, need_leasing, partition_of, ttl_ms_of
from .entries import make_appends
from .threads import make_expiry, make_header


class Put(NamedTuple):
    """What a put did.

    Attributes:
        positions: where each item stands, in the order given, also those that were there already.
        made_ms: when the thread was made, milliseconds since 1970: what tells one life of it from the next.
    """

    positions: tuple[int, ...]
    made_ms: int


class Checkpoints:
    """The verbs for checkpoints, on one backend. Made by `Store`.

    Each raises UnsupportedError where the backend keeps none.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._power: Checkpointing | None = None

    # -- writing ------------------------------------------------------------------------------------------------------

    async def put(
        self,
        thread: ThreadKey,
        checkpoint: PutCheckpoint,
        items: Sequence[NewItem] = (),
        *,
        begin: bool = False,
        ttl: float | None = None,
        sliding: bool = True,
        title: str | None = None,
        lease: Lease | None = None,
    ) -> Put:
        """Put a checkpoint and append items in one commit, which makes the thread where it is not there.

        Args:
            checkpoint: in its parts, a span that begins at -k means `items[k - 1]`.
            items: what the thread does not hold yet; one whose id it holds is left as it is.
            begin: whether a thread may begin here also where its tombstone stands.
            ttl, sliding, title: of the thread, where this call makes it; as in `threads.create`.
            lease: what `claim` gave; it has to be the newest one of its name still.

        Raises:
            ConflictError: the thread is not the one of `checkpoint.made_ms`, or parts that it uses are nowhere: send all of it.
            FencedError: another one has claimed the lease since.
            GoneError: the thread was deleted, and `begin` is False.
            InvalidError: an item, name or size that is not allowed.
        """
        partition = partition_of(thread)
        appends = make_appends(items, partition, None)[1] if items else []
        changes: list[Change] = [*appends, checkpoint]
        if lease is not None:
            changes.append(Fenced(lease.name, lease.fence))
        done = await self._commit(partition, changes) if self._power is not None and not begin else None
        if done is None:
            done = await self._make(partition, changes, checkpoint, begin=begin, ttl=ttl, sliding=sliding, title=title)
        outcomes, count = done.outcomes, len(appends)
        return Put(tuple([abs(outcome) for outcome in outcomes[:count]]), outcomes[count])

    async def put_writes(
        self,
        thread: ThreadKey,
        branch: str,
        id: str,
        writes: Sequence[Write],
        *,
        ttl: float | None = None,
        sliding: bool = True,
        lease: Lease | None = None,
    ) -> int:
        """Add writes to a checkpoint, which need not be there yet; return how many were new or changed.

        Args:
            ttl, sliding, lease: as in `put`. A deleted thread stays deleted.

        Raises:
            FencedError, GoneError, InvalidError: as `put`.
        """
        partition = partition_of(thread)
        changes: list[Change] = [PutWrites(branch, id, tuple(writes))]
        if lease is not None:
            changes.append(Fenced(lease.name, lease.fence))
        done = await self._commit(partition, changes) if self._power is not None else None
        if done is None:
            done = await self._make(partition, changes, None, begin=False, ttl=ttl, sliding=sliding, title=None)
        return done.outcomes[0]

    async def drop(self, thread: ThreadKey, points: Sequence[tuple[str, str]]) -> int:
        """Delete checkpoints with their writes, and each part that no other one needs; return how many were there.

        A thread that is not there has none. The items stay.

        Args:
            points: a branch and an id for each.

        Raises:
            GoneError: the thread was deleted.
        """
        partition, count = partition_of(thread), 0
        self._need()
        for at in range(0, len(points), MAX_CHANGES):
            change = DropCheckpoints(tuple(points[at : at + MAX_CHANGES]))
            try:
                count += (await self._backend.commit(partition, [change], expect=PRESENT)).outcomes[0]
            except GoneError:
                raise
            except NotFoundError:
                break
        return count

    async def copy(self, source: ThreadKey, target: ThreadKey) -> int:
        """Let `target` begin anew as a copy of a thread: its title and metadata, items, checkpoints and writes; return how many
        checkpoints that are.

        What fits one commit is one commit. Of a longer copy the items come first, then the checkpoints, the latest first, so that
        the latest state is never an older one; what dies in the middle is listed nowhere and vanishes within an hour.

        Args:
            target: what is there is deleted first.

        Raises:
            NotFoundError, GoneError: there is no source.
            ConflictError: somebody else writes to the target meanwhile.
        """
        return await copying.copy(self._backend, self._need(), partition_of(source), partition_of(target))

    # -- reading ------------------------------------------------------------------------------------------------------

    async def get(self, thread: ThreadKey, branch: str = "", id: str | None = None, *, window: int = WINDOW) -> CheckpointPage:
        """Return one checkpoint (the latest of the branch for None) with all it consists of; an empty page where there is none.

        Args:
            window: how many of the newest items come along in the same trip, from 0 to `limits.MAX_PAGE`.

        Raises:
            GoneError: the thread was deleted.
        """
        return await self._need().get_checkpoint(partition_of(thread), branch, id, window=window)

    async def list(
        self,
        thread: ThreadKey,
        *,
        branch: str | None = None,
        before: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 20,
        bare: bool = False,
    ) -> CheckpointPage:
        """Return checkpoints, the latest first, of one branch, or of all, the branches in descending order.

        Args:
            before: only those with a smaller id.
            after: branch and id of the last one of the page before.
            limit: from 1 to `limits.MAX_PAGE`.
            bare: leave out writes, parts and data.

        Raises:
            GoneError: the thread was deleted.
        """
        return await self._need().list_checkpoints(
            partition_of(thread), branch=branch, before=before, after=after, limit=limit, bare=bare
        )

    async def trace(
        self, thread: ThreadKey, branch: str, id: str | None, channels: Sequence[str], *, window: int = WINDOW
    ) -> Trace:
        """Walk from a checkpoint (the latest for None) to its ancestors, until each channel has its seed.

        Raises:
            GoneError: the thread was deleted.
            InvalidError: no channel was named.
        """
        if not channels:
            raise InvalidError("channels is empty: name at least one channel to look for")
        return await self._need().trace_checkpoint(partition_of(thread), branch, id, channels, window=window)

    # -- leases -------------------------------------------------------------------------------------------------------

    async def claim(self, thread: ThreadKey, name: str, holder: str, *, ttl: float) -> Lease | None:
        """Claim a name in a thread for `ttl` seconds; None while another holds it. A claim by its holder renews it.

        The thread need not be there.
        """
        return await need_leasing(self._backend).claim(partition_of(thread), name, holder, ttl_ms=ttl_ms_of(ttl))

    async def renew(self, thread: ThreadKey, lease: Lease, *, ttl: float) -> Lease | None:
        """Hold on for `ttl` seconds more; None where the lease ran out or somebody else has it."""
        return await need_leasing(self._backend).renew(lease, partition_of(thread), ttl_ms=ttl_ms_of(ttl))

    async def release(self, thread: ThreadKey, lease: Lease) -> bool:
        """Let go; tell whether it was still held."""
        return await need_leasing(self._backend).release(lease, partition_of(thread))

    # -- how a change is made -----------------------------------------------------------------------------------------

    def _need(self) -> Checkpointing:
        if self._power is None:
            # Looked at once: a protocol with these verbs costs as much as a part of a trip to look at.
            self._power = need_checkpointing(self._backend)
        return self._power

    async def _commit(self, partition: Partition, changes: Sequence[Change]) -> Commit | None:
        """Commit to a thread that is there, as nearly always; return None where it is not."""
        try:
            return await self._backend.commit(partition, changes, expect=PRESENT, listed=True)
        except GoneError:
            raise
        except NotFoundError:
            return None

    async def _make(
        self,
        partition: Partition,
        changes: Sequence[Change],
        checkpoint: PutCheckpoint | None,
        *,
        begin: bool,
        ttl: float | None,
        sliding: bool,
        title: str | None,
    ) -> Commit:
        """Commit where the thread is there, or make it in the same commit, what is likelier first.

        The header comes last: the outcomes of the others stand in the same place, whichever call made them.
        """
        self._need()
        commit = self._backend.commit
        leans = checkpoint is not None and _leans_on_what_was(checkpoint)
        is_new = begin and not leans
        for _ in range(ATTEMPTS):
            if is_new:
                header: Sequence[Change] = [*make_header(title, None), *make_expiry(self._backend, ttl, sliding=sliding)]
                revive: Sequence[Change] = [Revive()] if begin else []
                try:
                    return await commit(partition, [*changes, *header, *revive], expect=0, listed=True)
                except FencedError:
                    raise
                except ConflictError as e:
                    if e.actual == 0:
                        raise
                    # It is there, or another caller made it between the two.
            try:
                return await commit(partition, changes, expect=PRESENT, listed=True)
            except NotFoundError as e:
                if isinstance(e, GoneError) and not begin:
                    raise
                if leans:
                    raise ConflictError(
                        f"the thread {partition.name!r} is not there any more, and the checkpoint refers to it: send all of it"
                    ) from None
            is_new = True
        raise ConflictError(f"the thread {partition.name!r} comes and goes: try again")


def _leans_on_what_was(checkpoint: PutCheckpoint) -> bool:
    """Tell whether a checkpoint refers to what no new thread can hold."""
    parts = checkpoint.parts
    return checkpoint.made_ms is not None or any(name not in parts for name in checkpoint.uses)
