"""A backend around another whose bytes go through a coding on their way in and out. It has the powers of what it is around."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

from ..accepting import Accepting
from ..backend import Backend, Cataloguing, Collecting, Describing, Expiry, Leasing, Listing, Pinging, Running, Values
from ..checkpointing import Checkpointing
from ..errors import ConflictError, FencedError, ReusedTokenError
from ..limits import TOMBSTONE_MS, check_appends, check_changes, check_log, check_once, check_partition
from ..nearest import Nearest
from ..records import Append, Catalogue, Change, Commit, Entry, Once, Page, Partition, Snapshot
from ..splicing import Splicing
from .changes import encode_changes, has_condition, match_stored
from .checkpoints import CodedCheckpoints
from .coding import Coding
from .following import leaving
from .lazily import decode_each
from .places import of_document, of_token
from .runs import CodedRuns
from .values import CodedValues

_ATTEMPTS = 8
"""How often a condition is tried again, each time because somebody stored the same data anew meanwhile."""
_PASSED: tuple[type, ...] = (Listing, Leasing, Expiry, Pinging)
"""The powers that no stored bytes go through."""
_OF_PLACE = ("place", "namespace", "fails_in_part", "reach", "waiting", "meters", "newest_event")
_PASSED_NAMES = (*_OF_PLACE, "list_owners", "erase_owner", "erase_keys", "scrub")
"""Verbs and attributes of smaller powers, likewise. By name, so that no new one passes bytes by before somebody has looked."""


class Coded:
    """Implements Backend. The optional powers are attributes, of those that the inner backend has.

    Attributes:
        inner: the backend that it stands around.
        coding: what the bytes go through.
        encodes_values: whether literal values go through it too.
    """

    def __init__(self, inner: Backend, coding: Coding, *, values: bool, hides_vectors: bool) -> None:
        """Stand around an open backend, which `aclose` closes.

        Args:
            values: whether literal values go through the coding too. Then there are no sets, lists and splices.
            hides_vectors: whether to be without the indexes of vectors, which would show what is hidden.
        """
        self.inner = inner
        self.coding = coding
        self.encodes_values = values
        self._hides_vectors = hides_vectors
        passed: list[type] = [*_PASSED]
        if not hides_vectors:
            passed.append(Nearest)
        if not values:
            passed += [Values, Splicing, Collecting]
        for power in passed:
            self._take(power, inner, inner)
        self._take(Running, inner, CodedRuns(inner, coding))
        self._take(Checkpointing, inner, CodedCheckpoints(inner, coding))
        if values:
            self._take(Values, inner, CodedValues(inner, coding))
        if isinstance(inner, Cataloguing):
            self._cataloguing = inner
            self.catalogue = self._catalogue
        if isinstance(inner, Describing):
            self._describing = inner
            self.describe = self._describe
        if isinstance(inner, Accepting):
            self._accepting = inner
            self.outlast = self._outlast
        for name in _PASSED_NAMES:
            if hasattr(inner, name):
                setattr(self, name, getattr(inner, name))

    def _take(self, power: type, inner: Backend, source: object) -> None:
        if isinstance(inner, power):
            for verb in [name for name in vars(power) if not name.startswith("_")]:
                setattr(self, verb, getattr(source, verb))

    # -- Backend --------------------------------------------------------------------------------------------------------

    async def commit(
        self,
        partition: Partition,
        changes: Sequence[Change],
        *,
        expect: int | None = None,
        once: str | Once | None = None,
        listed: bool = False,
    ) -> Commit:
        """See Backend.commit."""
        check_partition(partition)
        if len(changes) == 1 and isinstance(change := changes[0], Append):
            # The commonest commit, which has no condition.
            check_log(change.log)
            check_appends([change])
            sent = Append(change.log, self.coding.encode_entry(partition, change.log, change.entry), change.fresh)
            if once is None:
                return await self.inner.commit(partition, [sent], expect=expect, listed=listed)
            encoded: Sequence[Change] = [sent]
        else:
            check_changes(changes)
            encoded = encode_changes(self.coding, partition, changes)
        token, digest = check_once(once)
        if token is None or not digest:
            return await self._commit(partition, changes, encoded, expect, once, listed)
        digests = self.coding.encode_digests(of_token(partition, token), digest)
        for kept in digests[:-1]:
            try:
                return await self._commit(partition, changes, encoded, expect, Once(token, kept), listed)
            except ReusedTokenError:
                # Perhaps the first call's digest was written with an older key, or without one.
                continue
        return await self._commit(partition, changes, encoded, expect, Once(token, digests[-1]), listed)

    async def _commit(
        self,
        partition: Partition,
        changes: Sequence[Change],
        encoded: Sequence[Change],
        expect: int | None,
        once: str | Once | None,
        listed: bool,
    ) -> Commit:
        for _ in range(_ATTEMPTS):
            try:
                return await self.inner.commit(partition, encoded, expect=expect, once=once, listed=listed)
            except FencedError:
                raise
            except ConflictError as error:
                found = None
                if has_condition(changes):
                    found = await match_stored(self.inner, self.coding, partition, changes, encoded)
                if found is None:
                    raise _hide(error) from None
                encoded = found
        return await self.inner.commit(partition, encoded, expect=expect, once=once, listed=listed)

    async def fetch(self, partition: Partition, keys: Sequence[str] | None = None) -> Snapshot:
        """See Backend.fetch. A document that cannot be read raises UnreadableError where it is looked at."""
        return self._open(partition, await self.inner.fetch(partition, keys))

    async def read(
        self,
        partition: Partition,
        log: str,
        *,
        after: int | str | None = None,
        before: int | str | None = None,
        limit: int = 100,
        newest_first: bool = False,
        inclusive: bool = False,
    ) -> Page:
        """See Backend.read."""
        page = await self.inner.read(
            partition, log, after=after, before=before, limit=limit, newest_first=newest_first, inclusive=inclusive
        )
        return Page(self.coding.decode_entries(partition, log, page.entries), page.has_more)

    def follow(self, partition: Partition, log: str, *, after: int | str | None = None) -> AsyncIterator[Entry]:
        """See Backend.follow."""
        return self._follow(partition, log, self.inner.follow(partition, log, after=after))

    async def _follow(self, partition: Partition, log: str, entries: AsyncIterator[Entry]) -> AsyncIterator[Entry]:
        async with leaving(entries):
            async for entry in entries:
                yield self.coding.decode_entries(partition, log, [entry])[0]

    async def revision(self, partition: Partition) -> int:
        """See Backend.revision."""
        return await self.inner.revision(partition)

    async def drop(
        self, partition: Partition, *, tombstone_ms: int = TOMBSTONE_MS, unless: str | None = None, expect: int | None = None
    ) -> bool:
        """See Backend.drop."""
        return await self.inner.drop(partition, tombstone_ms=tombstone_ms, unless=unless, expect=expect)

    async def aclose(self) -> None:
        """See Backend.aclose."""
        await self.inner.aclose()

    # -- powers of the inner backend ------------------------------------------------------------------------------------

    async def _catalogue(self, owner: str, *, limit: int = 20, after: str | None = None, newest_first: bool = True) -> Catalogue:
        found = await self._cataloguing.catalogue(owner, limit=limit, after=after, newest_first=newest_first)
        opened = [(name, self._open(Partition(owner, name), snapshot)) for name, snapshot in found.partitions]
        return Catalogue(opened, found.has_more)

    async def _describe(self) -> dict[str, str | int | float | bool | None]:
        return {**await self._describing.describe(), **self.coding.describe()}

    async def _outlast(
        self,
        partition: Partition,
        work: Callable[[Backend], Awaitable[Commit]],
        changes: Sequence[Change],
        header: Sequence[Change],
        *,
        once: str | Once | None = None,
    ) -> Commit:
        check_partition(partition)
        check_changes([*changes, *header])
        token, digest = check_once(once)
        if token is not None and digest:
            once = Once(token, self.coding.encode_digests(of_token(partition, token), digest)[0])

        def coded_work(store: Backend) -> Awaitable[Commit]:
            return work(Coded(store, self.coding, values=self.encodes_values, hides_vectors=self._hides_vectors))

        encoded = (encode_changes(self.coding, partition, each) for each in (changes, header))
        return await self._accepting.outlast(partition, coded_work, *encoded, once=once)

    def _open(self, partition: Partition, snapshot: Snapshot) -> Snapshot:
        if not snapshot.documents:
            return snapshot
        documents = decode_each(
            snapshot.documents,
            lambda key, data: self.coding.decode(of_document(partition, key), data),
            f"in {partition.name!r} the document",
        )
        return replace(snapshot, documents=documents)


def _hide(error: ConflictError) -> ConflictError:
    """Take the stored bytes out of an error: they are nobody's data as they are."""
    if isinstance(error.expected, bytes | Entry) or isinstance(error.actual, bytes | Entry):
        error.expected = error.actual = None
    return error
