"""The power Splicing on Redis: one script on a plain string, so that other programs read the same document at every moment."""

from __future__ import annotations

from ...limits import MAX_DATA_BYTES
from ...splicing import check_splice, too_large
from .base import RedisBase


class SpliceVerbs(RedisBase):
    """Splicing."""

    async def splice_value(
        self,
        key: str,
        data: bytes,
        *,
        mark: bytes,
        tail: int,
        whole: bool = False,
        ttl_ms: int | None = None,
        ttl_at: tuple[int, int] | None = None,
    ) -> tuple[bool, bytes | None]:
        """See Splicing.splice_value."""
        ttl, last = check_splice(key, data, mark, tail, ttl_ms, ttl_at)
        client = await self._client()
        arguments = (data, mark, tail, "1" if whole else "", ttl, last, MAX_DATA_BYTES)
        status, found = await client.run("splice", [key.encode()], arguments, repeatable=False)
        if status == b"large":
            raise too_large()
        return status == b"done", found
