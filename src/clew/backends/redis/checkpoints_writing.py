"""The commits that a program makes at every step, which `checkpoint.lua` does: a checkpoint with a few items, or writes.

Each is one call of the script, and safe to send again. What is more, or rarer, is for `commit.lua`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...checkpoints import Fenced, PutCheckpoint, PutWrites
from ...codec import encode_entry
from ...limits import CHECKPOINTS, ITEMS
from ...records import Append, Change, Commit
from .appends import MAX_ENTRIES
from .checkpoints_records import Arg, encode_checkpoint, encode_writes
from .client import Client
from .keys import PartitionKeys, id_digest
from .requests import Reply, pack
from .scripts import Script


class Step(NamedTuple):
    """A commit that is one step of a program: one checkpoint or some writes, the items before it, and a lease's fence."""

    change: PutCheckpoint | PutWrites
    appends: Sequence[Append]
    fenced: Fenced | None


def find_step(changes: Sequence[Change]) -> Step | None:
    """Return the step that these changes are; None where they are anything else."""
    main: PutCheckpoint | PutWrites | None = None
    fenced: Fenced | None = None
    appends: list[Append] = []
    for change in changes:
        kind = type(change)
        if kind is Append and change.log == ITEMS:  # type: ignore[union-attr]  # as its type says
            appends.append(change)  # type: ignore[arg-type]
        elif (kind is PutCheckpoint or kind is PutWrites) and main is None:
            main = change  # type: ignore[assignment]
        elif kind is Fenced and fenced is None:
            fenced = change  # type: ignore[assignment]
        else:
            return None
    if main is None or len(appends) > MAX_ENTRIES or (appends and type(main) is PutWrites):
        return None
    return Step(main, appends, fenced)


async def take_step(
    client: Client, keys: PartitionKeys, changes: Sequence[Change], step: Step, *, present: bool, listed: bool
) -> Reply:
    """Do it; return the Commit, or what checkpoint.lua answers to refuse it.

    Args:
        changes: checked; what `step` was found in.
        present: whether the partition must exist.
        listed: whether the listing is written in the same script.
    """
    script, main, fenced = client.scripts["checkpoint"], step.change, step.fenced
    lease: tuple[Arg, Arg] = ("", "") if fenced is None else (fenced.name, fenced.fence)
    entries = [change.entry for change in step.appends]
    digests = b"".join([id_digest(entry.key) for entry in entries])
    envelopes = [encode_entry(entry) for entry in entries]
    if isinstance(main, PutCheckpoint):
        tail = pack(*lease, "cpt", digests, *envelopes, *encode_checkpoint(main))
    else:
        tail = pack(*lease, "wrs", digests, *encode_writes(main.branch, main.id, main.writes))
    count, head = _head(keys, script, present, listed)
    end = tail.index(b"\r\n")
    payload = b"*%d\r\n%b%b" % (count + int(tail[1:end]), head, tail[end + 2 :])
    (reply,) = await client.call(keys.meta, payload, script=script, durable=True)
    if reply[0] != b"ok":
        return reply
    if len(changes) == 1:
        return Commit(reply[1], reply[2], (reply[3],))
    positions = iter(reply[4:])
    outcomes = [next(positions) if type(each) is Append else 0 if each is fenced else reply[3] for each in changes]
    return Commit(reply[1], reply[2], tuple(outcomes))


def _head(keys: PartitionKeys, script: Script, present: bool, listed: bool) -> tuple[int, bytes]:
    """Return how many words the packed beginning of a call has, and that beginning; remembered with the keys."""
    slot = (script.sha, CHECKPOINTS, present, listed)
    head = keys.heads.get(slot)
    listing = keys.listing if listed else keys.meta
    if head is None:
        names = (keys.meta, keys.docs, keys.once, keys.leases, listing, *keys.log(ITEMS)[1:], *keys.log(CHECKPOINTS)[1:])
        packed = pack("EVALSHA", script.sha, 11, *names, b"-1" if present else b"", keys.member if listed else b"", keys.bell)
        head = keys.heads[slot] = packed[packed.index(b"\r\n") + 2 :]
    return 17, head
