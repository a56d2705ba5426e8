# ruff: noqa: E501 - a row of the table is a line
"""The keys of a partition's runs, which share its slot.

| key | type | what it holds |
|---|---|---|
| `<ns>:{<owner>/<name>}:runs` | zset | names of the runs, scored by their numbers (microseconds, growing) |
| `<ns>:{<owner>/<name>}:turn` | string | the run that has the thread's turn |
| `<ns>:{<owner>/<name>}:run:<run>` | hash | `n` number, `b` `h` the first and the present holder, `e` epoch, `l` end of the lease (ms), `t` whether it takes the turn, `c` `z` created and ended (ms), `x` asked to stop (ms), `s` state, `i` `a` `d` id, `after` and data of the terminal event, `o` `k` `r` `m` the retention, `u` the caller's data |
| `<ns>:{<owner>/<name>}:events:<run>` | stream | one field `e` an event: its kind, a space, and its data; in the first of an epoch `after` and a space stand between; closed after the terminal event by the greatest id |
| `<ns>:{<owner>/<name>}:told:<run>` | channel | an id, a space and the field of each event; empty: look at the log; `gone`: the thread was dropped |
| `<ns>:{<owner>/<name>}:stop:<run>` | channel | empty messages: look at the record |

All of them expire. On a cluster from Redis 7.0 the channels are sharded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ...records import Partition
from ...run_limits import check_run_id
from .keys import encode_part, partition_keys


class RunKeys:
    """The keys of one run, and those of its partition that its scripts need."""

    __slots__ = ("all", "name", "record", "stop", "stream", "told")

    def __init__(self, namespace: str, partition: Partition, run: str) -> None:
        keys = partition_keys(namespace, partition)
        name = encode_part(check_run_id(run))
        self.name = name.encode()
        self.record = f"{keys.prefix}run:{name}".encode()
        self.stream = f"{keys.prefix}events:{name}".encode()
        self.told = f"{keys.prefix}told:{name}".encode()
        self.stop = f"{keys.prefix}stop:{name}".encode()
        self.all = [keys.meta, runs_key(keys.prefix), turn_key(keys.prefix), self.record, self.stream]
        """As the scripts take them."""


def runs_key(prefix: str) -> bytes:
    """Return the key of a partition's list of runs; `prefix` is that of its other keys."""
    return f"{prefix}runs".encode()


def turn_key(prefix: str) -> bytes:
    """Return the key of a partition's turn."""
    return f"{prefix}turn".encode()


@lru_cache(maxsize=4096)
def run_keys(namespace: str, partition: Partition, run: str) -> RunKeys:
    """Return the keys of a run, checked; the newest few thousand are remembered.

    Raises:
        InvalidError: the run, or its partition's owner or name, is not a valid id.
    """
    return RunKeys(namespace, partition, run)


def keys_of_runs(prefix: str, runs: Sequence[bytes]) -> list[bytes]:
    """Return every key of a partition's runs: the list, the turn, and the record and stream of each, named percent-encoded."""
    found = [runs_key(prefix), turn_key(prefix)]
    for run in runs:
        name = run.decode()
        found += (f"{prefix}run:{name}".encode(), f"{prefix}events:{name}".encode())
    return found
