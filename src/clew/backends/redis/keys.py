# ruff: noqa: E501 - a row of the table is a line
"""Every key clew writes on Redis, built in one place.

| key | type | what it holds |
|---|---|---|
| `<ns>:{<owner>/<name>}:meta` | hash | `r` revision, `c` `u` created and updated (ms), `l` names of the logs, and `%2Acheckpoints` where it has checkpoints, `n:<log>` next position, `b:<log>` position of the list's first element, `h:<log>` positions after the list that a truncation left, `x` sliding time to live (ms), `d` fixed deadline (ms), `e` deadline set last (ms), `o` count of once tokens; after a drop only `g`, the tombstone, `c`, and `k`, the place it had in `made` |
| `<ns>:{<owner>/<name>}:docs` | hash | document key -> bytes |
| `<ns>:{<owner>/<name>}:once` | hash | `=<token>` -> result of its commit and, where one was given, a digest of its use; `#<n>` -> token, a ring of the newest 1,000 |
| `<ns>:{<owner>/<name>}:leases` | hash | lease name -> fence, end (ms) and holder |
| `<ns>:{<owner>/<name>}:log:<log>` | list | one envelope an entry in order of position; a removed one is the byte C0 |
| `<ns>:{<owner>/<name>}:ids:<log>` | hash | bucket number -> packed digests of ids and their places |
| `<ns>:{<owner>/<name>}:new:<log>` | string | digests of the newest ids, which wait for a bucket |
| `<ns>:{<owner>/<name>}:points` | zset | checkpoints, in the order of their bytes: branch, id, parent, names of the parts, head |
| `<ns>:{<owner>/<name>}:parts` | hash | branch and name of a part -> the name of the part it goes on from, positions in the log `items`, data |
| `<ns>:{<owner>/<name>}:writes` | zset | writes, in the order of their bytes: branch, id, path, task, index, channel, data |
| `<ns>:{<owner>/<name>}:near:<index>` | vectorset | vectors of the programs that keep some here; `l` has it as `%2Anearest%2F<index>` |
| `<ns>:{<owner>/<name>}:bell` | channel | a message for each commit that moved a log, and for a drop |
| `<ns>:{<owner>}:threads` | zset | names scored by their newest write (microseconds) |
| `<ns>:{<owner>}:made` | zset | the same names in the order they were made (microseconds, each after the one before) |

Owner and name are percent-encoded before they are joined, so that no two partitions meet and no brace ends the hash tag
early. Values and routes stand under their own literal keys and are not in this table.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha1
from typing import NamedTuple, cast
from urllib.parse import quote, unquote

from ...limits import CHECKPOINTS, NEAREST, check_log, check_partition
from ...records import Partition

LogKeys = tuple[bytes, bytes, bytes, bytes]


def encode_part(text: str) -> str:
    """Percent-encode all but letters, digits and `_.-~`."""
    return quote(text, safe="")


def decode_part(text: str) -> str:
    """Undo `encode_part`."""
    return unquote(text)


class Head(NamedTuple):
    """What is the same for all appends to one log, packed."""

    call: bytes
    """A call of append.lua up to where the entries begin, but for the count of its words."""
    keys: bytes
    """The seven keys of the partition and the log."""
    listing: bytes
    """The key of the listing, of the partition itself where it is not to be listed."""
    words: bytes
    """The words that lead the entries."""
    listed: bytes
    """The key of the listing, or nothing."""


class PartitionKeys:
    """The keys of one partition; they share a hash tag, so one Cluster slot holds them."""

    __slots__ = ("bell", "calls", "docs", "heads", "leases", "listing", "logs", "made", "member", "meta", "once", "prefix")

    def __init__(self, namespace: str, partition: Partition) -> None:
        check_partition(partition)
        owner, name = encode_part(partition.owner), encode_part(partition.name)
        prefix = self.prefix = f"{namespace}:{{{owner}/{name}}}:"
        self.meta = (prefix + "meta").encode()
        self.docs = (prefix + "docs").encode()
        self.once = (prefix + "once").encode()
        self.leases = (prefix + "leases").encode()
        self.bell = (prefix + "bell").encode()
        self.listing = listing_key(namespace, partition.owner)
        self.made = made_key(namespace, partition.owner)
        self.member = name.encode()
        self.logs: dict[str, LogKeys] = {}
        self.heads: dict[tuple[bytes, str, bool, bool], bytes] = {}
        self.calls: dict[tuple[bytes, str, bool, bool], Head] = {}
        """Packed beginnings of calls, kept by those who make them."""

    def log(self, name: str) -> LogKeys:
        """Return a log's encoded name, its list, its ids hash and its new ids; for CHECKPOINTS points, parts and writes.

        So what goes or ages with the logs of a partition does so with its checkpoints, and with its indexes of vectors.
        """
        keys = self.logs.get(name)
        if keys is None:
            if name == CHECKPOINTS:
                part, places = encode_part(name), ("points", "parts", "writes")
            elif name.startswith(NEAREST):
                part = encode_part(name)
                places = (f"near:{encode_part(name[len(NEAREST) :])}", f"ids:{part}", f"new:{part}")
            else:
                part = encode_part(check_log(name))
                places = (f"log:{part}", f"ids:{part}", f"new:{part}")
            found = (part, *(self.prefix + place for place in places))
            keys = self.logs[name] = cast(LogKeys, tuple(text.encode() for text in found))
        return keys


def id_digest(key: bytes) -> bytes:
    """Return the digest of a stored id that `ids.lua` keeps: of a UUID version 7, as clew makes them, six of its random bytes."""
    if len(key) == 16 and key[6] >> 4 == 7:
        return key[10:]
    return sha1(key, usedforsecurity=False).digest()[:6]


def id_fields(key: bytes) -> tuple[bytes, bytes]:
    """Return a stored id's digest and its packed MessagePack form, as the scripts compare them."""
    size = len(key)
    if size == 16 and key[6] >> 4 == 7:
        # An id of clew's own, which nearly all are.
        return key[10:], b"\xc4\x10" + key
    head = b"\xc4" + bytes((size,)) if size < 256 else b"\xc5" + size.to_bytes(2, "big")
    return id_digest(key), head + key


def listing_key(namespace: str, owner: str) -> bytes:
    """Return the key of an owner's listing."""
    return f"{namespace}:{{{encode_part(owner)}}}:threads".encode()


def made_key(namespace: str, owner: str) -> bytes:
    """Return the key of an owner's names in the order of making; `made.lua` makes the same of the listing's."""
    return f"{namespace}:{{{encode_part(owner)}}}:made".encode()


@lru_cache(maxsize=4096)
def partition_keys(namespace: str, partition: Partition) -> PartitionKeys:
    """Return the keys of a partition, checked; the newest few thousand are remembered.

    Raises:
        InvalidError: its owner or name is not a valid id.
    """
    return PartitionKeys(namespace, partition)
