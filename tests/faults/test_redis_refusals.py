"""A server that says no: to this user, to more data, to writes, or because it is of another kind. Each has its own error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from clew.backend import Backend
from clew.codec import make_entry
from clew.errors import ClewError, DeniedError, FullError, NotReplicatedError, UnavailableError, UnsupportedError
from clew.records import Append, Partition, PutDocument
from clew.schemes import open_backend
from servers import Cluster, Sentinel, Server
from tests.conftest import Pool
from tests.support import fresh_partition, wait_until, with_options

from .ledger import LOG

Open = Callable[[str], Awaitable[Backend]]
APPEND = [Append(LOG, make_entry("a", b"{}"))]


# -- the user -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["redis-6.2", "redis-8.2", "valkey-9.1"])
async def test_a_wrong_password_is_denied_and_not_told(program: str, own_server: Callable[..., Server]) -> None:
    server = own_server(program, password="right", users=["alice on >hers ~* &* +@all"])
    for user, password in (("", "geheim"), ("alice", "geheim"), ("nobody", "geheim"), ("", None)):
        with pytest.raises(DeniedError) as caught:
            await open_backend(server.url_for(user, password))
        assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("program", ["redis-6.2", "redis-8.2", "valkey-9.1"])
async def test_an_acl_user_with_a_password_of_odd_characters_may_work(
    program: str, own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server(program, password="right", users=["alice on >p@ss/w:rd%?# ~clew:* resetchannels &clew:* +@all"])
    backend, partition = await open_store(server.url_for("alice", "p@ss/w:rd%?#")), fresh_partition()
    assert (await backend.commit(partition, APPEND, listed=True)).revision == 1
    assert [entry.id for entry in (await backend.read(partition, LOG)).entries] == ["a"]


@pytest.mark.parametrize("program", ["redis-6.2", "redis-8.2", "valkey-9.1"])
@pytest.mark.parametrize("rule", ["-evalsha", "-script", "-@scripting", "-@write", "resetkeys ~other:*"])
async def test_a_user_who_may_not_write_is_denied_and_nothing_is_written(
    rule: str, program: str, own_server: Callable[..., Server]
) -> None:
    server = own_server(program, users=[f"alice on >hers ~* &* +@all {rule}"])
    with pytest.raises(DeniedError) as caught:
        await _use(server.url_for("alice", "hers"), fresh_partition())
    assert "hers" not in str(caught.value)
    assert server.call("DBSIZE") == 0


@pytest.mark.parametrize("program", ["redis-6.2", "redis-8.2", "valkey-9.1"])
@pytest.mark.parametrize("rule", ["-rpush", "-publish", "resetchannels"])
async def test_a_user_who_may_not_run_a_command_inside_a_script_is_denied(
    rule: str, program: str, own_server: Callable[..., Server]
) -> None:
    # Redis does not undo what a script wrote before the command it may not run: hence the ACL line in the docs.
    server = own_server(program, users=[f"alice on >hers ~* &* +@all {rule}"])
    with pytest.raises(DeniedError):
        await _use(server.url_for("alice", "hers"), fresh_partition())


@pytest.mark.parametrize("program", ["redis-6.2", "redis-8.2", "valkey-9.1"])
@pytest.mark.parametrize("rule", ["-lrange", "-hmget -hget -hgetall", "-subscribe"])
async def test_a_user_who_may_not_read_is_denied(
    rule: str, program: str, own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server(program, users=[f"alice on >hers ~* &* +@all {rule}"])
    partition = fresh_partition()
    await (await open_store(server.url)).commit(partition, APPEND)
    with pytest.raises(DeniedError):
        await _use(server.url_for("alice", "hers"), partition)


async def _use(url: str, partition: Partition) -> None:
    """Write and read."""
    backend = await open_backend(url + "?timeout=2")
    try:
        await backend.commit(partition, APPEND)
        await backend.commit(partition, [PutDocument("a", b"2")])
        await backend.read(partition, LOG)
        await backend.fetch(partition)
        async for _ in backend.follow(partition, LOG):
            break
    finally:
        await backend.aclose()


async def test_a_password_changed_meanwhile_is_denied_and_works_again_when_it_is_changed_back(
    own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server(users=["alice on >hers ~* &* +@all"])
    backend, partition = await open_store(server.url_for("alice", "hers")), fresh_partition()
    await backend.commit(partition, APPEND)
    server.call("ACL", "SETUSER", "alice", "resetpass", ">other")
    server.call("CLIENT", "KILL", "USER", "alice")
    with pytest.raises(DeniedError):
        await backend.revision(partition)
    server.call("ACL", "SETUSER", "alice", "resetpass", ">hers")
    assert await backend.revision(partition) == 1


# -- more data ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["redis-6.2", "redis-8.2", "valkey-9.1"])
async def test_a_full_server_refuses_a_commit_whole_still_answers_and_goes_on_with_room(
    program: str, own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server(program, options={"maxmemory-policy": "noeviction"})
    backend, partition = await open_store(server.url), fresh_partition()
    server.call("CONFIG", "SET", "maxmemory", int(server.info("memory")["used_memory"]) + 2_000_000)
    with pytest.raises(FullError):
        await _fill(backend, partition)
    written = await backend.revision(partition)
    assert written > 10

    async def check(commits: int) -> None:
        snapshot = await backend.fetch(partition)
        page = await backend.read(partition, LOG, limit=1000)
        assert snapshot.revision == commits
        assert snapshot.documents == {"count": b"%d" % commits}
        assert [entry.position for entry in page.entries] == list(range(1, 5 * commits + 1))

    await check(written)
    server.call("CONFIG", "SET", "maxmemory", 0)
    await backend.commit(partition, _batch(written, b"x"))
    await check(written + 1)


async def _fill(backend: Backend, partition: Partition) -> None:
    for number in range(1000):
        await backend.commit(partition, _batch(number, b"x" * 5000), listed=True)


def _batch(number: int, data: bytes) -> list[PutDocument | Append]:
    entries = [Append(LOG, make_entry(f"{number}.{n}", data)) for n in range(5)]
    return [PutDocument("count", b"%d" % (number + 1)), *entries]


@pytest.mark.parametrize("program", ["redis-6.2", "redis-8.2", "valkey-9.1"])
async def test_a_full_server_may_still_be_emptied(program: str, own_server: Callable[..., Server], open_store: Open) -> None:
    server = own_server(program)
    backend, partition = await open_store(server.url), fresh_partition()
    await backend.commit(partition, [Append(LOG, make_entry("a", b"x" * 3_000_000))])
    server.call("CONFIG", "SET", "maxmemory", int(server.info("memory")["used_memory"]) - 1_000_000)
    with pytest.raises(FullError):
        await backend.commit(partition, [Append(LOG, make_entry("b", b"x"))])
    assert await backend.drop(partition)
    await backend.commit(fresh_partition(), APPEND)


async def test_a_commit_without_enough_replicas_at_the_server_is_unavailable_and_nothing_is_written(
    own_server: Callable[..., Server], open_store: Open
) -> None:
    server = own_server()
    backend, partition = await open_store(with_options(server.url, timeout=0.3)), fresh_partition()
    server.call("CONFIG", "SET", "min-replicas-to-write", 1)
    with pytest.raises(UnavailableError):
        await backend.commit(partition, APPEND)
    server.call("CONFIG", "SET", "min-replicas-to-write", 0)
    assert await backend.revision(partition) == 0
    assert (await backend.commit(partition, APPEND)).outcomes == (1,)


async def test_a_write_that_too_few_replicas_acknowledge_says_so_and_may_be_repeated(
    own_server: Callable[..., Server], open_store: Open
) -> None:
    primary, replica = own_server(), own_server()
    backend = await open_store(with_options(primary.url, replicas=1, replica_timeout=0.1))
    partition = fresh_partition()
    with pytest.raises(NotReplicatedError):
        await backend.commit(partition, APPEND)
    assert await backend.revision(partition) == 1  # reading does not wait for a replica
    replica.follow(primary)
    await wait_until(lambda: replica.info("replication")["master_link_status"] == "up")
    assert (await backend.commit(partition, APPEND)).outcomes == (-1,)


@pytest.mark.parametrize("once", [None, "token"])
async def test_a_repeated_write_is_not_acknowledged_before_the_replicas_have_the_first_one(
    once: str | None, own_server: Callable[..., Server], open_store: Open
) -> None:
    primary, replica = own_server(), own_server()
    replica.follow(primary)
    await wait_until(lambda: replica.info("replication")["master_link_status"] == "up")
    url = with_options(primary.url, replicas=1, replica_timeout=0.1)
    partition = fresh_partition()
    replica.pause()
    for _ in range(3):  # each time over a connection that has written nothing yet
        with pytest.raises(NotReplicatedError):
            await (await open_store(url)).commit(partition, APPEND, once=once)
    replica.resume()
    last = await (await open_store(url)).commit(partition, APPEND, once=once)
    assert (last.outcomes, last.replayed) == (((1,), True) if once else ((-1,), False))


# -- another kind -------------------------------------------------------------------------------------------------------


async def test_a_replica_answers_reads_and_refuses_writes(own_server: Callable[..., Server], open_store: Open) -> None:
    primary, replica = own_server(), own_server()
    replica.follow(primary)
    partition = fresh_partition()
    await (await open_store(primary.url)).commit(partition, APPEND)
    await wait_until(lambda: replica.call("DBSIZE") == primary.call("DBSIZE"))
    backend = await open_store(with_options(replica.url, timeout=0.3))
    assert [entry.id for entry in (await backend.read(partition, LOG)).entries] == ["a"]
    with pytest.raises((UnavailableError, FullError)):
        await backend.commit(partition, [PutDocument("a", b"1")])
    replica.follow(None)
    assert (await backend.commit(partition, [PutDocument("a", b"1")])).revision == 2


async def test_a_cluster_url_on_a_lone_server_is_unsupported(pool: Pool) -> None:
    server = pool.get("redis-8.2")
    assert isinstance(server, Server)
    with pytest.raises(UnsupportedError, match="redis://"):
        await open_backend(f"redis+cluster://{server.address}?timeout=1")


@pytest.mark.parametrize("kind", ["cluster-1", "cluster-3"])
async def test_a_plain_url_on_a_node_of_a_cluster_is_unsupported(kind: str, pool: Pool) -> None:
    cluster = pool.get(kind)
    assert isinstance(cluster, Cluster)
    with pytest.raises(UnsupportedError, match=r"redis\+cluster://"):
        await open_backend(f"redis://{cluster.nodes[0].address}?timeout=1")


async def test_a_plain_url_on_a_sentinel_is_unsupported(pool: Pool) -> None:
    sentinel = pool.get("sentinel")
    assert isinstance(sentinel, Sentinel)
    with pytest.raises(UnsupportedError, match=r"redis\+sentinel://"):
        await open_backend(f"redis://{sentinel.sentinels[0].address}?timeout=1")


async def test_a_sentinel_url_on_a_server_that_is_none_fails_in_time(pool: Pool) -> None:
    server = pool.get("redis-8.2")
    assert isinstance(server, Server)
    async with asyncio.timeout(3):
        with pytest.raises((UnsupportedError, UnavailableError)):
            await open_backend(f"redis+sentinel://{server.address}/mymaster?timeout=1")


async def test_a_primary_that_the_sentinels_do_not_know_is_named_in_the_error(pool: Pool) -> None:
    sentinel = pool.get("sentinel")
    assert isinstance(sentinel, Sentinel)
    async with asyncio.timeout(3):
        with pytest.raises(ClewError, match="another"):
            await open_backend(sentinel.url.replace("mymaster", "another") + "?timeout=1")


async def test_tls_on_a_plain_port_fails_in_time(pool: Pool) -> None:
    server = pool.get("redis-8.2")
    assert isinstance(server, Server)
    async with asyncio.timeout(3):
        with pytest.raises((UnsupportedError, UnavailableError)):
            await open_backend(f"rediss://{server.address}?timeout=1")
