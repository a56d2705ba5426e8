"""The savers that are compared, by name, each opened as its own documentation says; and the floor, which is no saver."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple, get_checkpoint_metadata
from langgraph.checkpoint.memory import InMemorySaver

Saver = BaseCheckpointSaver[Any]


class Floor(BaseCheckpointSaver[str]):
    """What no saver on Redis can do without: dump the checkpoint and its whole metadata once and SET them; GET and load them.

    It keeps the last checkpoint alone, and no writes.
    """

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._client = client

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        """Set the checkpoint."""
        configurable = config["configurable"]
        data = self.serde.dumps_typed([checkpoint, get_checkpoint_metadata(config, metadata)])[1]
        await self._client.set(configurable["thread_id"], data)
        return {"configurable": {**configurable, "checkpoint_id": checkpoint["id"]}}

    async def aput_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
        """Do nothing."""

    async def aget_tuple(self, config: Any) -> CheckpointTuple | None:
        """Return the last checkpoint."""
        data = await self._client.get(config["configurable"]["thread_id"])
        checkpoint, metadata = self.serde.loads_typed(("msgpack", data))
        return CheckpointTuple(config, checkpoint, metadata)

    def get_next_version(self, current: str | None, channel: None) -> str:
        """Return a version as long as those of other savers."""
        return f"{int((current or '0').partition('.')[0]) + 1:032}.{0.5:018}"


@asynccontextmanager
async def _open_floor(url: str) -> AsyncGenerator[Saver]:
    import redis.asyncio as redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    # As `bench.core.place` has them, which this environment may not.
    client: redis.Redis = redis.Redis.from_url(
        url, protocol=2, socket_timeout=None, socket_keepalive=True, retry=Retry(NoBackoff(), 0)
    )
    async with client:
        yield Floor(client)


@asynccontextmanager
async def _open_memory(_: str) -> AsyncGenerator[Saver]:
    yield InMemorySaver()


@asynccontextmanager
async def _open_clew(url: str) -> AsyncGenerator[Saver]:
    import clew
    from clew.adapters.langgraph import ClewSaver

    async with clew.connect(url) as store:
        yield ClewSaver(store, owner="bench")


@asynccontextmanager
async def _open_redis(url: str) -> AsyncGenerator[Saver]:
    from langgraph.checkpoint.redis.aio import AsyncRedisSaver

    async with AsyncRedisSaver.from_conn_string(url) as saver:
        await saver.asetup()
        yield saver


@asynccontextmanager
async def _open_plainredis(url: str) -> AsyncGenerator[Saver]:
    from langgraph_checkpoint_plainredis import AsyncRedisSaver

    saver = AsyncRedisSaver(url=url)
    try:
        yield saver
    finally:
        await saver.aclose()


@asynccontextmanager
async def _open_sqlite(path: str) -> AsyncGenerator[Saver]:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        await saver.setup()
        yield saver


@asynccontextmanager
async def _open_postgres(url: str) -> AsyncGenerator[Saver]:
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver  # type: ignore[import-not-found,unused-ignore]

    async with AsyncPostgresSaver.from_conn_string(url) as saver:
        await saver.setup()
        yield saver


SAVERS: Final[dict[str, Callable[[str], AbstractAsyncContextManager[Saver]]]] = {
    "floor": _open_floor,
    "memory": _open_memory,
    "clew": _open_clew,
    "checkpoint-redis": _open_redis,
    "plainredis": _open_plainredis,
    "checkpoint-sqlite": _open_sqlite,
    "checkpoint-postgres": _open_postgres,
}
