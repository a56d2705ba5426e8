"""The optional powers on Redis: listing, leasing, expiry, and plain values under literal keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...errors import GoneError, InvalidError
from ...limits import MAX_VALUE_KEY_BYTES, check_data, check_expiry, check_id, check_limit, check_ttl, check_value_key
from ...records import ANY, Any_, ExpiryKind, Lease, Listed, Partition
from .client import Client
from .commit import CommitVerbs
from .keys import decode_part, encode_part, listing_key, made_key, partition_keys
from .requests import pack

STALE_US: Final = 3600 * 1_000_000
"""The age from which on a line of a listing that leads nowhere is taken away: an hour."""


class Powers(CommitVerbs):
    """Listing, Leasing, Expiry, Values."""

    # -- Listing ----------------------------------------------------------------------------------------------------

    async def list(self, owner: str, *, limit: int = 20, before: Listed | None = None) -> Sequence[Listed]:
        """See Listing.list."""
        check_limit(limit)
        check_id(owner, "the owner")
        client = await self._client()
        key = listing_key(self.options.namespace, owner)
        found: list[Listed] = []
        while True:
            lines, last = await self._lines(client, key, limit - len(found), before)
            found += await self._standing(client, key, owner, lines)
            if len(found) == limit or last is None:
                return found
            before = last

    async def _lines(
        self, client: Client, key: bytes, limit: int, before: Listed | None
    ) -> tuple[Sequence[Listed], Listed | None]:
        """Return the next lines, and the last one where there may be more."""
        top: str | int = "+inf" if before is None else before.updated_us
        ceiling = None if before is None else encode_part(before.name).encode()
        skip = 0
        lines: list[Listed] = []
        while True:
            count = limit + 2
            payload = pack("ZREVRANGEBYSCORE", key, top, "-inf", "WITHSCORES", "LIMIT", skip, count)
            (flat,) = await client.call(key, payload)
            for at in range(0, len(flat), 2):
                member, score = flat[at], int(float(flat[at + 1]))
                # Lines of one microsecond stand in the reverse order of their names.
                if before is not None and ceiling is not None and score == before.updated_us and member >= ceiling:
                    continue
                lines.append(Listed(decode_part(member.decode()), score))
                if len(lines) == limit:
                    return lines, lines[-1]
            if len(flat) < 2 * count:
                return lines, None
            skip += count

    async def _standing(self, client: Client, key: bytes, owner: str, lines: Sequence[Listed]) -> Sequence[Listed]:
        """Return the lines whose partitions exist; take the long dead ones out of the listing."""
        import asyncio

        names = [partition_keys(self.options.namespace, Partition(owner, line.name)) for line in lines]
        heads = await asyncio.gather(*(client.call(each.meta, pack("HGET", each.meta, "r")) for each in names))
        dead = [each.member for each, (revision,) in zip(names, heads, strict=True) if revision is None]
        if dead:
            await client.run("unlist", [key, made_key(self.options.namespace, owner)], [STALE_US, *dead], durable=False)
        return [line for line, (revision,) in zip(lines, heads, strict=True) if revision is not None]

    # -- Leasing ----------------------------------------------------------------------------------------------------

    async def claim(self, partition: Partition, name: str, holder: str, *, ttl_ms: int) -> Lease | None:
        """See Leasing.claim."""
        check_id(holder, "the holder")
        return await self._lease(partition, "claim", name, holder, "", check_ttl(ttl_ms))

    async def renew(self, lease: Lease, partition: Partition, *, ttl_ms: int) -> Lease | None:
        """See Leasing.renew."""
        return await self._lease(partition, "renew", lease.name, lease.holder, lease.fence, check_ttl(ttl_ms))

    async def release(self, lease: Lease, partition: Partition) -> bool:
        """See Leasing.release."""
        done = await self._lease(partition, "release", lease.name, lease.holder, lease.fence, "", repeatable=False)
        return done is not None

    async def _lease(
        self,
        partition: Partition,
        verb: str,
        name: str,
        holder: str,
        fence: int | str,
        ttl: int | str,
        *,
        repeatable: bool = True,
    ) -> Lease | None:
        keys = self._keys(partition)
        check_id(name, "a lease's name")
        client = await self._client()
        arguments = (verb, name, holder, fence, ttl)
        reply = await client.run("lease", [keys.meta, keys.leases], arguments, repeatable=repeatable)
        if reply[0] == b"gone":
            raise GoneError(f"{partition.name!r} has been deleted")
        return Lease(name, holder, reply[1], reply[2]) if reply[0] == b"ok" else None

    # -- Expiry -----------------------------------------------------------------------------------------------------

    async def expire(self, partition: Partition, ttl_ms: int | None, *, kind: ExpiryKind = "sliding") -> bool:
        """See Expiry.expire."""
        check_expiry(ttl_ms, kind)
        keys = self._keys(partition)
        ttl = "" if ttl_ms is None else ttl_ms
        client = await self._client()
        while True:
            logs = self._logs_of(partition, ())
            script_keys = [keys.meta, keys.docs, keys.once, keys.leases]
            for name in logs:
                script_keys += keys.log(name)[1:]
            reply = await client.run("expire", script_keys, (ttl, kind, *(keys.log(name)[0] for name in logs)))
            if reply[0] == b"gone":
                raise GoneError(f"{partition.name!r} has been deleted")
            if reply[0] == b"ok":
                return bool(reply[1])
            self._learn_logs(partition, reply[1])

    # -- Values -----------------------------------------------------------------------------------------------------

    async def get_value(self, key: str, *, touch_ms: int | None = None) -> bytes | None:
        """See Values.get_value."""
        name = _value_key(key)
        payload = pack("GET", name) if touch_ms is None else pack("GETEX", name, "PX", check_ttl(touch_ms))
        client = await self._client()
        value: bytes | None = (await client.call(name, payload))[0]
        return value

    async def put_value(
        self, key: str, data: bytes | None, *, ttl_ms: int | None = None, when: bytes | Any_ | None = ANY
    ) -> tuple[bool, bytes | None]:
        """See Values.put_value."""
        name = _value_key(key)
        ttl = "" if ttl_ms is None else check_ttl(ttl_ms)
        if data is not None:
            check_data(data, "a value")
        client = await self._client()
        if isinstance(when, Any_):
            if data is None:
                payload = pack("GETDEL", name)
            elif ttl_ms is None:
                payload = pack("SET", name, data, "GET")
            else:
                payload = pack("SET", name, data, "PX", ttl, "GET")
            # A deletion that is repeated would say that nothing was there.
            (previous,) = await client.call(name, payload, repeatable=data is not None, durable=True)
            return True, previous
        condition = b"none" if when is None else b"=" + when
        arguments = (condition, "del" if data is None else "put", data or b"", ttl)
        written, previous = await client.run("swap", [name], arguments, repeatable=False)
        return bool(written), previous

    async def value_ttl(self, key: str) -> int | None:
        """See Values.value_ttl."""
        name = _value_key(key)
        client = await self._client()
        left: int = (await client.call(name, pack("PTTL", name)))[0]
        return None if left == -2 else left

    async def scan_values(self, pattern: str, *, limit: int = 100, cursor: str | None = None) -> tuple[Sequence[str], str | None]:
        """See Values.scan_values."""
        check_limit(limit)
        check_id(pattern, "the pattern", most=MAX_VALUE_KEY_BYTES)
        client = await self._client()
        servers = client.primaries()
        number, _, place = (cursor or "0:0").partition(":")
        if not (number.isdecimal() and place.isdecimal() and int(number) < len(servers)):
            raise InvalidError(f"{cursor!r} is not a cursor of this list: start again without one")
        payload = pack("SCAN", place, "MATCH", pattern, "COUNT", limit, "TYPE", "string")
        following, keys = await client.call_server(servers[int(number)], payload)
        names = [key.decode("utf-8", "surrogateescape") for key in keys]
        if following != b"0":
            return names, f"{number}:{following.decode()}"
        return names, f"{int(number) + 1}:0" if int(number) + 1 < len(servers) else None


def _value_key(key: str) -> bytes:
    return check_value_key(key).encode()
