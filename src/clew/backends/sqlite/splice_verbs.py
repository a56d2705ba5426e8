"""The power Splicing on SQLite: checked here, and worked out in a thread."""

from __future__ import annotations

from ...splicing import check_splice
from .engine import Engine
from .splicing import splice_value


class SpliceVerbs:
    """Implements Splicing."""

    _engine: Engine

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
        return await self._engine.write(lambda unit: splice_value(unit, key, data, mark, tail, keep, head, whole, ttl_ms, ttl_at))
