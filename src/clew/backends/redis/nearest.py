"""The power Nearest on Redis 8: an index is a vector set that stands among the logs of its partition, and so goes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ...errors import DeniedError, GoneError, NotFoundError, UnsupportedError
from ...limits import NEAREST
from ...nearest import check_count, check_index, check_vector, check_vectors
from ...records import Partition
from .base import RedisBase
from .client import Client
from .requests import pack

_MULTI: Final = pack("MULTI")
_EXEC: Final = pack("EXEC")


class NearestVerbs(RedisBase):
    """Nearest."""

    async def knows_nearest(self) -> bool:
        """See Nearest.knows_nearest."""
        return await _knows(await self._client())

    async def put_nearest(
        self, partition: Partition, index: str, vectors: Mapping[str, bytes | None], *, begin: bool = False
    ) -> bool:
        """See Nearest.put_nearest."""
        check_vectors(vectors)
        elements = [part for element, vector in vectors.items() for part in (element, vector or b"")]
        return await self._change_index(partition, index, "begin" if begin else "put", elements)

    async def end_nearest(self, partition: Partition, index: str) -> None:
        """See Nearest.end_nearest."""
        await self._change_index(partition, index, "end", [])

    async def find_nearest(
        self, partition: Partition, index: str, vector: bytes, *, count: int
    ) -> Sequence[tuple[str, float]] | None:
        """See Nearest.find_nearest."""
        keys = self._keys(partition)
        key = keys.log(NEAREST + check_index(index))[1]
        client = await self._need()
        search = pack("VSIM", key, "FP32", check_vector(vector), "WITHSCORES", "COUNT", check_count(count))
        payload = _MULTI + pack("HMGET", keys.meta, "g", "r") + pack("EXISTS", key) + search + _EXEC
        (gone, revision), there, found = (await client.call(keys.meta, payload, 5))[-1]
        if gone:
            raise GoneError(f"{partition.name!r} has been deleted")
        if revision is None or not there:
            return None
        # The server's scores are from 0 to 1.
        return [(found[at].decode(), 2 * float(found[at + 1]) - 1) for at in range(0, len(found), 2)]

    async def _change_index(self, partition: Partition, index: str, verb: str, elements: Sequence[bytes | str]) -> bool:
        keys = self._keys(partition)
        part, key, *_ = keys.log(NEAREST + check_index(index))
        client = await self._need()
        (status,) = await client.run("nearest", [keys.meta, key], [verb, part, *elements])
        if status == b"gone":
            raise GoneError(f"{partition.name!r} has been deleted")
        if status == b"absent":
            raise NotFoundError(f"there is no {partition.name!r} for this owner")
        return bool(status == b"ok")

    async def _need(self) -> Client:
        client = await self._client()
        if not await _knows(client):
            raise UnsupportedError(f"{client.place} has no vector sets (Redis has from 8.0 on), or this user may not use them")
        return client


async def _knows(client: Client) -> bool:
    if "vsim" not in client.info:
        (known,) = (await client.call(b"", pack("COMMAND", "INFO", "VSIM")))[0]
        client.info["vsim"] = "no" if known is None else "yes"
        if known is not None:
            # Its commands are in no category that an ACL could have given.
            key = f"{client.options.namespace}:{{}}:near:none".encode()
            try:
                await client.call(key, pack("VSIM", key, "FP32", bytes(4)))
            except DeniedError:
                client.info["vsim"] = "no"
    return client.info["vsim"] == "yes"
