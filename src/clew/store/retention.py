"""Retention: what is deleted because it is old or too much, by a policy with a rule for each kind of owner, or for one owner.

A policy is TOML. Nothing is deleted but by a rule, and nothing that a rule cannot judge.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from ..backend import Backend, Leasing
from ..checkpointing import Checkpointing
from ..errors import ClewError, ConflictError, GoneError, InvalidError, NotFoundError
from ..ids import new_id
from ..limits import MAX_PAGE, check_id
from ..records import PRESENT, Lease, Listed, Partition, Trim
from .checks import LOG, need_leasing, need_listing
from .forgetting import need_erasing
from .headers import NOTE
from .trimming import last_safe_cut, safe_cut

DAY_US: Final = 24 * 3600 * 1_000_000
MOST_DAYS: Final = 36_600
RESERVED: Final = "clew:"
"""What the owners of the service's own records begin with; of those only teams and the system have rules."""
PAGE: Final = 200
_FIELDS: Final = ("idle_days", "item_days", "most_items")
_KINDS: Final = ("user", "team", "system")


@dataclass(frozen=True, slots=True)
class Rule:
    """What goes; None: nothing for this reason.

    Attributes:
        idle_days: threads that were not written to for so many days.
        item_days: the oldest items of a thread, up to the first that is younger than so many days.
        most_items: the oldest items of a thread, so that so many stay.
    """

    idle_days: float | None = None
    item_days: float | None = None
    most_items: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules: the owner's own, or else that of their kind: `user`, `team` or `system`."""

    kinds: Mapping[str, Rule] = field(default_factory=dict)
    owners: Mapping[str, Rule] = field(default_factory=dict)

    def rule_of(self, owner: str) -> Rule | None:
        """Return an owner's rule, None where there is none. Rules are not mixed: one of the owner's own counts alone."""
        if owner in self.owners:
            return self.owners[owner]
        if owner == f"{RESERVED}system":
            return self.kinds.get("system")
        if owner.startswith(f"{RESERVED}team:"):
            return self.kinds.get("team")
        return None if owner.startswith(RESERVED) else self.kinds.get("user")


def parse_policy(text: str) -> Policy:
    """Return the policy that a TOML text says: tables `[user]`, `[team]`, `[system]` and `[owners."<owner>"]`.

    Raises:
        InvalidError: it is no TOML, or a table, a name or a number is none that there is.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise InvalidError(f"the policy is no TOML: {e}") from e
    for name in found:
        if name not in (*_KINDS, "owners"):
            raise InvalidError(f"the policy has a table {name!r}: use user, team, system and owners")
    owners = found.get("owners", {})
    if not isinstance(owners, dict):
        raise InvalidError('owners is a table of tables, as [owners."ada"]')
    for owner in owners:
        check_id(owner, "an owner of the policy")
    made = Policy(
        {name: _read_rule(found[name], f"[{name}]") for name in _KINDS if name in found},
        {owner: _read_rule(table, f'[owners."{owner}"]') for owner, table in owners.items()},
    )
    if not made.kinds and not made.owners:
        raise InvalidError('the policy has no rule: give it a table [user], [team], [system] or [owners."..."]')
    return made


def _read_rule(table: Any, name: str) -> Rule:
    if not isinstance(table, dict):
        raise InvalidError(f"{name} of the policy is a table")
    for key, value in table.items():
        if key not in _FIELDS:
            raise InvalidError(f"{name} of the policy has {key!r}: use {', '.join(_FIELDS)}")
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if key == "most_items":
            if not is_whole or value < 1:
                raise InvalidError(f"most_items in {name} of the policy is a whole number from 1, not {value!r}")
        elif not (is_whole or isinstance(value, float)) or not 0 < value <= MOST_DAYS:
            raise InvalidError(f"{key} in {name} of the policy is a number of days up to {MOST_DAYS:,}, not {value!r}")
    return Rule(**table)


@dataclass(slots=True)
class Applied:
    """What went, or in a dry run would go.

    Attributes:
        owners: how many were looked at.
        threads: how many were looked at.
        deleted: threads that went.
        items: items that went from threads that stayed.
        kept: threads that were left as they are: somebody wrote to them at that moment, they have attachments that cannot be
            deleted from here, or checkpoints of a program refer to their items.
    """

    owners: int = 0
    threads: int = 0
    deleted: int = 0
    items: int = 0
    kept: int = 0


DeleteWhole = Callable[[Partition], Awaitable[None]]
PLACE: Final = Partition(f"{RESERVED}retention", "apply")
"""Where whoever applies a policy holds a lease."""
LEASE_MS: Final = 60_000


async def apply_alone(
    backend: Backend,
    policy: Policy,
    *,
    now_us: int,
    owner: str | None = None,
    attached: str | None = None,
    delete_attached: DeleteWhole | None = None,
    told: Callable[[Applied], None] | None = None,
) -> Applied | None:
    """As `apply`, but None, and nothing done, where another process is at it. A store without leases lets everybody."""
    if not isinstance(backend, Leasing):
        lease = None
    elif (lease := await backend.claim(PLACE, "apply", new_id(), ttl_ms=LEASE_MS)) is None:
        return None
    keeping = None if lease is None else asyncio.create_task(_keep(need_leasing(backend), lease), name="clew-retention")
    try:
        return await apply(
            backend, policy, now_us=now_us, owner=owner, attached=attached, delete_attached=delete_attached, told=told
        )
    finally:
        if keeping is not None and lease is not None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await need_leasing(backend).release(lease, PLACE)


async def _keep(power: Leasing, lease: Lease) -> None:
    while True:
        await asyncio.sleep(LEASE_MS / 3000)
        # Where it cannot be renewed, the work itself meets the same, or goes on: two at once do no harm.
        with suppress(ClewError):
            await power.renew(lease, PLACE, ttl_ms=LEASE_MS)


async def apply(
    backend: Backend,
    policy: Policy,
    *,
    now_us: int,
    owner: str | None = None,
    dry: bool = False,
    attached: str | None = None,
    delete_attached: DeleteWhole | None = None,
    told: Callable[[Applied], None] | None = None,
) -> Applied:
    """Delete what the policy says, a page of threads at a time. What breaks off is gone on with by the next call.

    Args:
        now_us: the time that days are counted back from, in microseconds since 1970.
        owner: only this one.
        dry: only count.
        attached: the note of threads with something elsewhere that has to be deleted with them.
        delete_attached: deletes such a thread; they are left for None.
        told: called after each page.
    """
    work = _Work(backend, now_us, dry, attached, delete_attached)
    cursor: str | None = None
    while True:
        names: Sequence[str] = () if owner is None else (owner,)
        if owner is None:
            names, cursor = await need_erasing(backend).list_owners(cursor=cursor)
        for name in names:
            rule = policy.rule_of(name)
            if rule is not None:
                work.applied.owners += 1
                await work.go_through(name, rule, told)
        if cursor is None:
            return work.applied


class _Work:
    def __init__(
        self, backend: Backend, now_us: int, dry: bool, attached: str | None, delete_attached: DeleteWhole | None
    ) -> None:
        self.applied = Applied()
        self._backend = backend
        self._now_us = now_us
        self._dry = dry
        self._unless = None if attached is None else NOTE + attached
        self._delete_attached = delete_attached

    async def go_through(self, owner: str, rule: Rule, told: Callable[[Applied], None] | None) -> None:
        listing = need_listing(self._backend)
        before: Listed | None = None
        idle_us = None if rule.idle_days is None else self._now_us - int(rule.idle_days * DAY_US)
        while lines := await listing.list(owner, limit=PAGE, before=before):
            idle = [idle_us is not None and line.updated_us < idle_us for line in lines]
            partitions = [Partition(owner, line.name) for line in lines]
            # Together, in few trips. What is due is done one by one, since it may be large.
            due = await asyncio.gather(
                *(self._may_be_due(each, rule) for each, is_idle in zip(partitions, idle, strict=True) if not is_idle)
            )
            marks = iter(due)
            for partition, is_idle in zip(partitions, idle, strict=True):
                try:
                    if is_idle:
                        await self._delete(partition)
                    elif next(marks):
                        await self._trim(partition, rule)
                except (ConflictError, GoneError, NotFoundError):
                    # Somebody wrote to it, or deleted it.
                    self.applied.kept += 1
            self.applied.threads += len(lines)
            before = lines[-1]
            if told is not None:
                told(self.applied)

    async def _delete(self, partition: Partition) -> None:
        snapshot = await self._backend.fetch(partition)
        if not snapshot.revision:
            return
        if self._unless is not None and self._unless in snapshot.documents:
            if self._delete_attached is None:
                self.applied.kept += 1
                return
            if not self._dry:
                await self._delete_attached(partition)
        elif not self._dry:
            await self._backend.drop(partition, unless=self._unless, expect=snapshot.revision)
        self.applied.deleted += 1

    async def _trim(self, partition: Partition, rule: Rule) -> None:
        cut, count = await self._find_cut(partition, rule)
        if cut is None:
            return
        if isinstance(self._backend, Checkpointing):
            page = await self._backend.list_checkpoints(partition, limit=1, bare=True)
            if page.checkpoints:
                self.applied.kept += 1
                return
        if not self._dry:
            # Not listed: it is no sign of life.
            count = (await self._backend.commit(partition, [Trim(LOG, cut)], expect=PRESENT)).outcomes[0]
        self.applied.items += count

    async def _may_be_due(self, partition: Partition, rule: Rule) -> bool:
        """Look at both ends of the thread, which says for nearly every one that nothing is to be done."""
        if rule.item_days is None and rule.most_items is None:
            return False
        try:
            first = (await self._backend.read(partition, LOG, limit=1)).entries
            if first and rule.item_days is not None and first[0].created_ms < self._cutoff_ms(rule.item_days):
                return True
            if not first or rule.most_items is None:
                return False
            last = (await self._backend.read(partition, LOG, limit=1, newest_first=True)).entries
        except GoneError:
            return False
        return bool(last) and last[0].position - first[0].position >= rule.most_items

    async def _find_cut(self, partition: Partition, rule: Rule) -> tuple[int | None, int]:
        """Return the position before which items go, None where none do, and how many those are."""
        places: list[_Place] = []
        before: int | None = None
        while True:
            # In pages; of each item only this much is held, for one thread at a time.
            page = await self._backend.read(partition, LOG, before=before, limit=MAX_PAGE, newest_first=True)
            places += (_Place(entry.position, entry.created_ms, entry.links) for entry in page.entries)
            if not page.has_more or not places:
                break
            before = places[-1].position
        places.reverse()
        old = 0
        if rule.item_days is not None:
            cutoff_ms = self._cutoff_ms(rule.item_days)
            old = next((index for index, place in enumerate(places) if place.created_ms >= cutoff_ms), len(places))
        # Of linked items none goes by its age while another one is younger; by their number they go together.
        cut = last_safe_cut(places, old)
        if rule.most_items is not None:
            cut = max(cut, safe_cut(places, rule.most_items))
        if not cut:
            return None, 0
        return (places[cut].position if cut < len(places) else places[-1].position + 1), cut

    def _cutoff_ms(self, days: float) -> int:
        return (self._now_us - int(days * DAY_US)) // 1000


@dataclass(frozen=True, slots=True)
class _Place:
    position: int
    created_ms: int
    links: tuple[str, ...]
