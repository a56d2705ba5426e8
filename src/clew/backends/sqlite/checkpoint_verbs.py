"""The power Checkpointing on SQLite: each call checked here, and worked out in a thread."""

from __future__ import annotations

from collections.abc import Sequence

from ...checkpointing import WINDOW, CheckpointPage, Trace
from ...errors import InvalidError
from ...limits import check_branch, check_channel, check_limit, check_partition, check_point, check_window
from ...records import Partition
from . import checkpoint_reading as reading
from .engine import Engine


class CheckpointVerbs:
    """Implements Checkpointing. A file has no far end, so that a window saves nothing here."""

    _engine: Engine

    async def get_checkpoint(
        self, partition: Partition, branch: str, id: str | None = None, *, window: int = WINDOW
    ) -> CheckpointPage:
        """See Checkpointing.get_checkpoint."""
        check_partition(partition)
        check_point(branch, id)
        check_window(window)
        return await self._engine.read(lambda unit: reading.get_checkpoint(unit, partition, branch, id))

    async def list_checkpoints(
        self,
        partition: Partition,
        *,
        branch: str | None = None,
        before: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 20,
        bare: bool = False,
    ) -> CheckpointPage:
        """See Checkpointing.list_checkpoints."""
        check_partition(partition)
        if branch is not None:
            check_branch(branch)
        check_point("", before)
        if after is not None:
            check_point(*after)
        check_limit(limit)
        return await self._engine.read(lambda unit: reading.list_checkpoints(unit, partition, branch, before, after, limit, bare))

    async def trace_checkpoint(
        self, partition: Partition, branch: str, id: str | None, channels: Sequence[str], *, window: int = WINDOW
    ) -> Trace:
        """See Checkpointing.trace_checkpoint."""
        check_partition(partition)
        check_point(branch, id)
        check_window(window)
        wanted = {check_channel(channel) for channel in channels}
        if not wanted:
            raise InvalidError("there is no channel to trace: name at least one")
        return await self._engine.read(lambda unit: reading.trace_checkpoint(unit, partition, branch, id, wanted))
