"""The verbs that write a partition: `commit` and `drop`, each one script, each safe to send again."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import NoReturn, cast

from ...checkpoints import DropCheckpoints, Fenced, PutCheckpoint, PutWrites, Revive
from ...codec import encode_entry, pack_id
from ...errors import ConflictError, FencedError, GoneError, NotFoundError, UnknownCursorError
from ...ids import new_id
from ...limits import (
    CHECKPOINTS,
    MAX_CHANGES,
    TOMBSTONE_MS,
    check_appends,
    check_changes,
    check_expect,
    check_id,
    check_once,
    check_revision,
    check_same_use,
    check_step,
    check_ttl,
)
from ...records import PRESENT, Any_, Append, Change, Commit, Expire, Once, Partition, PutDocument, Remove, Replace, Truncate
from .appends import MAX_ENTRIES, gather
from .base import ITEMS, RedisBase
from .checkpoints_records import Arg, encode_checkpoint, encode_writes, start_of
from .checkpoints_writing import find_step, take_step
from .client import Client
from .keys import PartitionKeys, id_fields
from .requests import Reply, Words, pack
from .runs_keys import keys_of_runs


class CommitVerbs(RedisBase):
    """Writing."""

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
        keys = self._keys(partition)
        check_expect(expect)
        if once is None and (expect is None or expect == PRESENT) and 0 < len(changes) <= MAX_ENTRIES:
            log = _only_log(changes)
            if log is not None:
                appends = cast(Sequence[Append], changes)
                keys.log(log)
                check_appends(appends)
                client = self._ready() or await self._client()
                together = listed and self._listed_on_one_server()
                if listed and not together:
                    await self._touch(client, partition, keys)
                done = await gather(client, keys, log, appends, present=expect is not None, listed=together)
                if type(done) is Commit:
                    return done
                # Where a truncation left a gap, or other logs have to be renewed with this one, the general script does it.
                if done[0] not in (b"gap", b"logs"):
                    _refuse(partition, done, changes, expect)
        if once is None and (expect is None or expect == PRESENT):
            step = find_step(changes)
            if step is not None:
                check_step(*step)
                client = self._ready() or await self._client()
                together = listed and self._listed_on_one_server()
                if listed and not together:
                    await self._touch(client, partition, keys)
                taken = await take_step(client, keys, changes, step, present=expect is not None, listed=together)
                if type(taken) is Commit:
                    return taken
                if taken[0] != b"general":
                    _refuse(partition, taken, changes, expect)
        # Appends with a token, or many: what is true of all changes is not asked of each.
        log = _only_log(changes) if 0 < len(changes) <= MAX_CHANGES else None
        appends = cast(Sequence[Append], changes if log is not None else ())
        if log is None:
            check_changes(changes)
        else:
            keys.log(log)
            check_appends(appends)
        given, digest = check_once(once)
        if given is not None:
            token = "u" + given
        elif expect in (None, PRESENT) and changes and all(isinstance(change, Append) for change in changes):
            token = ""
        else:
            # Sent twice it would not do the same twice, so the server must know it again.
            token = "c" + new_id()
        client = await self._client()
        if listed and not self._listed_on_one_server():
            await self._touch(client, partition, keys)
        wanted = (log,) if log is not None else tuple(dict.fromkeys(filter(None, map(_log_of, changes))))
        while True:
            logs = self._logs_of(partition, wanted)
            arguments, rest = (_arguments(changes, logs), None) if log is None else ((), _pack_adds(appends, 1 + logs.index(log)))
            head: tuple[Arg, ...] = (
                "" if expect is None else expect,
                token,
                keys.member if listed and self._listed_on_one_server() else b"",
                keys.bell,
                b" #" + b64encode(digest) if digest else b"",
                "1" if log is None and any(isinstance(change, Revive) for change in changes) else "",
                len(logs),
                *(keys.log(name)[0] for name in logs),
            )
            reply = await client.run("commit", self._script_keys(keys, logs, listed=listed), (*head, *arguments), rest=rest)
            status = reply[0]
            if status == b"ok":
                return Commit(reply[1], reply[2], tuple(reply[3:]))
            if status == b"replayed":
                result, _, kept = reply[1].partition(b" #")
                check_same_use(b64decode(kept), digest)
                numbers = [int(word) for word in result.split()]
                # A token of our own is known only when this very call was sent twice.
                return Commit(numbers[0], numbers[1], tuple(numbers[2:]), replayed=once is not None)
            if status != b"logs":
                _refuse(partition, reply, changes, expect)
            self._learn_logs(partition, reply[1])

    async def drop(
        self, partition: Partition, *, tombstone_ms: int = TOMBSTONE_MS, unless: str | None = None, expect: int | None = None
    ) -> bool:
        """See Backend.drop."""
        check_revision(expect)
        held = "" if unless is None else "=" + check_id(unless, "a document's key")
        if tombstone_ms != 0:
            check_ttl(tombstone_ms)
        keys = self._keys(partition)
        client = await self._client()
        if self._listed_on_one_server():
            return await self._drop(client, partition, keys, tombstone_ms, held, expect)
        # Two servers, two requests: a close does not come between them.
        return await self._whole(self._drop(client, partition, keys, tombstone_ms, held, expect))

    async def _drop(
        self, client: Client, partition: Partition, keys: PartitionKeys, tombstone_ms: int, held: str, expect: int | None
    ) -> bool:
        place = b""
        was_there = False
        runs: Sequence[bytes] = ()
        while True:
            # Nearly every partition has this log, and one too many does no harm.
            logs = self._logs_of(partition, (ITEMS,))
            names = [keys.log(name)[0] for name in logs] + [client.publish + b"/" + run for run in runs]
            arguments: tuple[Arg, ...] = (
                tombstone_ms,
                keys.member,
                keys.bell,
                held,
                place,
                "" if expect is None else expect,
                *names,
            )
            found = self._script_keys(keys, logs, listed=True)
            script_keys = [*found[:5], *keys_of_runs(keys.prefix, runs), *found[5:]]
            reply = await client.run("drop", script_keys, arguments, repeatable=False)
            if reply[0] == b"runs":
                runs = reply[1]
                continue
            if reply[0] == b"logs":
                self._learn_logs(partition, reply[1])
                continue
            if reply[0] == b"held":
                raise ConflictError(f"{partition.name!r} has the document {held[1:]!r}, so it was not deleted", actual=held[1:])
            if reply[0] == b"conflict":
                raise ConflictError(
                    f"{partition.name!r} is at revision {int(reply[1])}, not {expect}: read it again",
                    expected=expect,
                    actual=int(reply[1]),
                )
            self._known_logs.pop(partition, None)
            was_there = was_there or (reply[0] == b"ok" and reply[1] == 1)
            if self._listed_on_one_server() or place:
                return was_there
            place = await self._unlist(client, keys)
            if not (place and was_there and tombstone_ms):
                return was_there
            # Once more, for the tombstone to keep the place.

    async def _unlist(self, client: Client, keys: PartitionKeys) -> bytes:
        """On a cluster, take a name out of its owner's listings; return its place in the order of making, if it had one."""
        place: bytes | None = (await client.call(keys.made, pack("ZSCORE", keys.made, keys.member)))[0]
        for key in (keys.listing, keys.made):
            await client.call(key, pack("ZREM", key, keys.member), durable=True)
        return place or b""

    def _script_keys(self, keys: PartitionKeys, logs: Sequence[str], *, listed: bool) -> list[bytes]:
        listing = keys.listing if listed and self._listed_on_one_server() else keys.meta
        found = [keys.meta, keys.docs, keys.once, keys.leases, listing]
        for name in logs:
            found += keys.log(name)[1:]
        return found

    async def _touch(self, client: Client, partition: Partition, keys: PartitionKeys) -> None:
        """On a cluster the listing is on another server: it is written first, so that no thread is ever unlisted."""
        await client.run("touch", [keys.listing, keys.made], [keys.member])


def _only_log(changes: Sequence[Change]) -> str | None:
    """Return the log that every change appends to, None where one does something else."""
    first = changes[0]
    if not isinstance(first, Append):
        return None
    log = first.log
    if log[:1] == "*":
        # What stands for something else among the logs: the full check refuses it.
        return None
    if len(changes) == 1:
        return log
    for change in changes:
        if not isinstance(change, Append) or change.log != log:
            return None
    return log


def _log_of(change: Change) -> str | None:
    """Return what has to be among the logs for a change."""
    if isinstance(change, PutCheckpoint | PutWrites | DropCheckpoints):
        return CHECKPOINTS
    return None if isinstance(change, PutDocument | Expire | Fenced | Revive) else change.log


def _pack_adds(changes: Sequence[Append], number: int) -> Words:
    """Return appends to one log as commit.lua takes them."""
    # As hiredis packs them: in many small words, which is what most of the time of a large batch would go into.
    head = b"$3\r\nadd\r\n$%d\r\n%d\r\n$6\r\n" % (len(str(number)), number)
    found = []
    for change in changes:
        entry = change.entry
        digest, key = id_fields(entry.key)
        envelope = encode_entry(entry)
        found.append(b"%b%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (head, digest, len(key), key, len(envelope), envelope))
    return Words(b"".join(found), 5 * len(found))


def _arguments(changes: Sequence[Change], logs: Sequence[str]) -> list[Arg]:
    """Return the changes as commit.lua takes them."""
    numbers = {name: number for number, name in enumerate(logs, 1)}
    found: list[Arg] = []
    promised: set[tuple[str, str]] = set()
    for change in changes:
        if isinstance(change, Append):
            entry = change.entry
            found += ("add", numbers[change.log], *id_fields(entry.key), encode_entry(entry))
        elif isinstance(change, PutDocument):
            when = b"any" if isinstance(change.when, Any_) else b"none" if change.when is None else b"=" + change.when
            if change.data is None:
                found += ("del", change.key, when)
            else:
                found += ("put", change.key, change.data, when)
        elif isinstance(change, Replace):
            when = encode_entry(change.when) if change.when is not None else b""
            found += ("rep", numbers[change.log], *id_fields(change.entry.key), encode_entry(change.entry), when)
        elif isinstance(change, Remove):
            when = encode_entry(change.when) if change.when is not None else b""
            found += ("rem", numbers[change.log], *id_fields(pack_id(change.id)), when)
        elif isinstance(change, Expire):
            found += ("ttl", "" if change.ttl_ms is None else change.ttl_ms, change.kind)
        elif isinstance(change, PutCheckpoint):
            found += ("cpt", numbers[CHECKPOINTS], *encode_checkpoint(change, promised))
            promised.update([(change.branch, name) for name in change.parts])
        elif isinstance(change, PutWrites):
            found += ("wrs", numbers[CHECKPOINTS], *encode_writes(change.branch, change.id, change.writes))
        elif isinstance(change, DropCheckpoints):
            starts = [start_of(branch, id) for branch, id in change.points]
            found += ("drp", numbers[CHECKPOINTS], len(starts), *starts)
        elif isinstance(change, Fenced):
            found += ("fen", change.name, change.fence)
        elif isinstance(change, Revive):
            found.append("rev")
        elif isinstance(change, Truncate):
            if isinstance(change.after, str):
                found += ("cut", numbers[change.log], "i", *id_fields(pack_id(check_id(change.after, "the cursor"))))
            else:
                found += ("cut", numbers[change.log], "p", change.after, "")
        else:
            found += ("trm", numbers[change.log], change.before)
    return found


def _refuse(partition: Partition, reply: Reply, changes: Sequence[Change], expect: int | None) -> NoReturn:
    """Raise what a refusal of commit.lua means."""
    status = reply[0].decode()
    if status == "gone":
        raise GoneError(f"{partition.name!r} has been deleted")
    if status == "absent":
        raise NotFoundError(f"there is no {partition.name!r} for this owner")
    if status == "conflict":
        raise ConflictError(
            f"{partition.name!r} is at revision {reply[1]}, not {expect}: read it again", expected=expect, actual=reply[1]
        )
    if status == "fenced":
        fenced = next(change for change in changes if isinstance(change, Fenced))
        raise FencedError(
            f"the lease {fenced.name!r} of {partition.name!r} is not this writer's any more: stop writing",
            expected=fenced.fence,
            actual=int(reply[1]) if reply[1] else None,
        )
    if status == "made":
        raise ConflictError(
            f"{partition.name!r} is not the one that was read, but began anew: send all of the checkpoint again", actual=reply[1]
        )
    if status == "part":
        branch, _, part = reply[1].decode().partition("\0")
        raise ConflictError(
            f"{partition.name!r} has no part {part!r} in the branch {branch!r}: send all of the checkpoint again", expected=part
        )
    change = changes[reply[1] - 1]
    if status == "document":
        assert isinstance(change, PutDocument)
        raise ConflictError(f"the document {change.key!r} of {partition.name!r} is not as expected: read it again")
    if status == "cursor":
        assert isinstance(change, Truncate)
        raise UnknownCursorError(f"{partition.name!r} does not know the item {change.after!r}")
    assert isinstance(change, Replace | Remove)
    name = change.entry.id if isinstance(change, Replace) else change.id
    if status == "changed":
        raise ConflictError(f"the item {name!r} of {partition.name!r} has changed: read it again")
    raise NotFoundError(f"there is no item {name!r} in {partition.name!r}")


assert PRESENT == -1  # commit.lua writes it as a number
