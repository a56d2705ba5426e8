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
        keep: int = 0,
        head: bytes = b"",
        whole: bool = False,
        ttl_ms: int | None = None,
        ttl_at: tuple[int, int] | None = None,
    ) -> tuple[bool, bytes | None]:
        """See Splicing.splice_value."""
        check_splice(key, data, mark=mark, tail=tail, keep=keep, head=head, whole=whole, ttl_ms=ttl_ms, ttl_at=ttl_at)
        # Lua counts from 1, and to the last one inclusive.
        ttl, last = ("" if ttl_ms is None else ttl_ms, "") if ttl_at is None else (ttl_at[0] + 1, ttl_at[1])
        client = self._ready() or await self._client()
        arguments = (data, mark, tail, keep, "1" if whole else "", ttl, last, MAX_DATA_BYTES, head)
        status, found = await client.run("splice", [key.encode()], arguments, repeatable=False)
        if status == b"large":
            raise too_large()
        return status == b"done", found
