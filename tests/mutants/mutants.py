"""The mutants: backends with one fault each. A change of text that no longer finds its place fails, so that none goes stale."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

from clew.backends.redis import RedisBackend, appends, client, collecting, keys, requests, scripts
from clew.backends.sqlite import reading
from clew.errors import UnknownCursorError
from clew.records import Entry, Listed, Page, Partition

from .checkpoint_mutants import make_mutants
from .erasing_mutants import ERASING_MUTANTS
from .planting import Fault, Mutant
from .run_mutants import RUN_MUTANTS


def _plant(owner: object, name: str, fault: object) -> None:
    """Put a fault in a class's or a module's place for something sound."""
    assert hasattr(owner, name), f"there is no {name} any more: mend this mutant"
    setattr(owner, name, fault)


def lua(old: str, new: str) -> Fault:
    """Return the fault of a script in which `new` stands for `old`."""

    def plant() -> None:
        load = scripts.load_scripts

        def load_changed(*, shebang: bool) -> dict[str, scripts.Script]:
            changed, found = {}, 0
            for name, script in load(shebang=shebang).items():
                source = script.source.decode()
                found += source.count(old)
                changed[name] = scripts.make_script(name, source.replace(old, new))
            assert found, f"no script holds {old!r} any more: mend this mutant"
            return changed

        _plant(client, "load_scripts", load_changed)

    return plant


def _untagged() -> None:
    made = keys.PartitionKeys.__init__

    def init(self: keys.PartitionKeys, namespace: str, partition: Partition) -> None:
        made(self, namespace, partition)
        for name in ("meta", "docs", "once", "leases", "bell"):
            setattr(self, name, getattr(self, name).replace(b"{", b"").replace(b"}", b""))

    _plant(keys.PartitionKeys, "__init__", init)


def _unescaped() -> None:
    _plant(keys, "encode_part", str)


def _page(change: Callable[[Page, int], Page]) -> Fault:
    def plant() -> None:
        read = RedisBackend.read

        async def read_changed(self: RedisBackend, *args: Any, limit: int = 100, **kwargs: Any) -> Page:
            return change(await read(self, *args, limit=limit, **kwargs), limit)

        _plant(RedisBackend, "read", read_changed)

    return plant


def _inclusive() -> None:
    read = RedisBackend.read

    async def read_changed(self: RedisBackend, *args: Any, **kwargs: Any) -> Page:
        return await read(self, *args, **{**kwargs, "inclusive": True})

    _plant(RedisBackend, "read", read_changed)


def _page_one() -> None:
    read = RedisBackend.read

    async def read_changed(self: RedisBackend, *args: Any, **kwargs: Any) -> Page:
        try:
            return await read(self, *args, **kwargs)
        except UnknownCursorError:
            return await read(self, *args, **{**kwargs, "after": None, "before": None})

    _plant(RedisBackend, "read", read_changed)


def _oldest_first() -> None:
    listing = RedisBackend.list

    async def list_changed(self: RedisBackend, *args: Any, **kwargs: Any) -> Sequence[Listed]:
        return list(await listing(self, *args, **kwargs))[::-1]

    _plant(RedisBackend, "list", list_changed)


def _only_the_tail() -> None:
    follow = RedisBackend.follow

    async def follow_changed(self: RedisBackend, partition: Partition, log: str, **_: Any) -> AsyncIterator[Entry]:
        newest = (await self.read(partition, log, limit=1, newest_first=True)).entries
        async for entry in follow(self, partition, log, after=newest[0].position if newest else 0):
            yield entry

    _plant(RedisBackend, "follow", follow_changed)


def _mixed_answers() -> None:
    def settle(self: appends.AppendRequest, replies: list[Any]) -> None:
        for future, _ in self._callers:
            if not future.done():
                future.set_result(replies[-1])

    _plant(appends.AppendRequest, "settle", settle)


def _unreadable_dropped() -> None:
    decode = reading.decode_rows

    def decode_changed(rows: Sequence[tuple[int, bytes]]) -> list[Entry]:
        return [entry for entry in decode(rows) if entry.unreadable is None]

    _plant(reading, "decode_rows", decode_changed)


def _command(old: str, new: str) -> Fault:
    """Return the fault of a backend that sends another command."""

    def plant() -> None:
        pack = requests.pack

        def pack_changed(*command: bytes | str | int) -> bytes:
            return pack(*(new if part == old else part for part in command))

        _plant(collecting, "pack", pack_changed)

    return plant


MUTANTS: Final[dict[str, Mutant]] = {
    "no hash tag in the keys": Mutant(_untagged, kind="cluster-1"),
    "ids joined unescaped": Mutant(_unescaped),
    "positions used again after a truncation": Mutant(
        lua(
            "log.gap, log.gapped, log.touched = log.gap + length - first, true, true",
            "log.next, log.touched = log.base + first, true",
        )
    ),
    "no dedupe by id": Mutant(lua("if live then answer[4 + i] = -position", "if false then answer[4 + i] = -position")),
    "an id is forgotten when it is filed": Mutant(lua("redis.call('HSET', log.ids, unpack(writes))", "")),
    "an id is not looked for while it waits": Mutant(
        lua("if proof == true then return position, true end\n            if proof then removed", "if proof then removed")
    ),
    "a time to live a thousand times too long": Mutant(
        lua("+ ARGV[1]\nif ARGV[2]", "+ ARGV[1] * 1000\nif ARGV[2]"), "TestExpiry"
    ),
    "a refused commit leaves something behind": Mutant(
        lua("then return {'document', n} end", "then redis.call('HSET', meta, 'r', revision + 1) return {'document', n} end")
    ),
    "expect is ignored": Mutant(lua("elseif tonumber(expect) ~= revision then", "elseif false then")),
    "present is ignored": Mutant(lua("if expect ~= '' and revision == 0 then", "if false then")),
    "once tokens outlive a drop": Mutant(
        lua("if i ~= 5 then redis.call('DEL', KEYS[i]) end", "if i ~= 5 and i ~= 3 then redis.call('DEL', KEYS[i]) end")
    ),
    "a token is never remembered": Mutant(lua("return {'replayed', seen}", "seen = nil")),
    "another use of a token is not told": Mutant(
        lua("table.concat(outcome, ' ') .. ARGV[5]) end", "table.concat(outcome, ' ')) end")
    ),
    "a drop does not look at the revision": Mutant(lua("if ARGV[6] ~= '' and head[2] and", "if false and head[2] and")),
    "no tombstone": Mutant(lua("if ARGV[1] ~= '0' then", "if false then")),
    "a trim takes one too many": Mutant(lua("math.min(step[3] - log.base, length)", "math.min(step[3] - log.base + 1, length)")),
    "a truncation takes one too few": Mutant(lua("math.max(step[3] + 1 - log.base, 0)", "math.max(step[3] + 2 - log.base, 0)")),
    "a removed entry closes the gap": Mutant(
        lua(
            "redis.call('LSET', step[2].list, step[3] - step[2].base, HOLE)",
            "redis.call('LREM', step[2].list, 1, redis.call('LINDEX', step[2].list, step[3] - step[2].base))",
        )
    ),
    "a replaced entry is not compared": Mutant(
        lua("if live and when ~= '' and redis.call('LINDEX'", "if false and redis.call('LINDEX'")
    ),
    "a condition on a document is ignored": Mutant(lua("if when ~= 'any' then", "if false then")),
    "has more when the page is full": Mutant(_page(lambda page, limit: Page(page.entries, len(page.entries) == limit))),
    "cursors are inclusive": Mutant(_inclusive),
    "an unknown cursor is page one": Mutant(_page_one),
    "a follower misses what was there": Mutant(_only_the_tail),
    "gathered callers get each other's answers": Mutant(_mixed_answers),
    "a newer record is dropped in silence": Mutant(_unreadable_dropped, kind="memory"),
    "the listing is the wrong way round": Mutant(_oldest_first, "TestListing"),
    "a write moves its line in the catalogue": Mutant(
        lua("if redis.call('ZADD', listing, 'GT', us, ARGV[3]) == 1 or revision == 1 then", "do"), "TestCataloguing"
    ),
    "a tombstone is no cursor of the catalogue": Mutant(
        lua("if place then redis.call('HSET', meta, 'k', place) end", ""), "TestCataloguing"
    ),
    "what expired stays in the catalogue": Mutant(
        lua("if not head[1] then dead[#dead + 1] = lines[i]", "if false then dead[#dead + 1] = lines[i]"), "TestCataloguing"
    ),
    "a document does not keep its partition": Mutant(lua("if ARGV[4] ~= '' and head[2] and", "if false and")),
    "a short page by an id starts at it": Mutant(lua("math.max(bounds[1] + 1, log.base)", "math.max(bounds[1], log.base)")),
    "a short page by an id ends at a hole": Mutant(
        lua("size = math.min(size * 2, 4096)\nend\nreturn answer", "break\nend\nreturn answer")
    ),
    "a fence does not grow": Mutant(lua("fence = math.max((fence or 0) + 1, us)", "fence = fence or 1"), "TestLeasing"),
    "a lease is given to two": Mutant(lua("if live and holder ~= ARGV[3] then return {'no'} end", ""), "TestLeasing"),
    "a condition on a value is ignored": Mutant(lua("if now then return {0, now} end", ""), "TestValues"),
    "a list is pushed at its head": Mutant(_command("RPUSH", "LPUSH"), "TestCollecting"),
    "an expiry of a key in seconds": Mutant(_command("PEXPIRE", "EXPIRE"), "TestCollecting"),
    "a deleted key stays": Mutant(_command("UNLINK", "EXISTS"), "TestCollecting"),
    "the end of a value is not compared": Mutant(lua("string.sub(tail, 1, #ARGV[2]) ~= ARGV[2]", "false"), "TestSplicing"),
    "a splice leaves the old tail": Mutant(lua("- size\n    local data", "\n    local data"), "TestSplicing"),
    **make_mutants(lua),
    **RUN_MUTANTS,
    **ERASING_MUTANTS,
}
"""Every mutant by what is wrong with it."""
