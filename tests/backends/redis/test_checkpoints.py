"""A step of a program is one trip to Redis, and so is reading its state; what happens to the server meanwhile does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from clew.backends.redis import RedisBackend, open_backend
from clew.backends.redis.client import Client
from clew.backends.redis.requests import Request
from clew.checkpointing import CheckpointPage
from clew.checkpoints import Fenced, Part, PutCheckpoint, PutWrites, Span, Write
from clew.codec import make_entry
from clew.errors import ConflictError, FencedError, FullError, InvalidError, NotReplicatedError
from clew.records import PRESENT, Append, Change, Expire, PutDocument, Trim, Truncate
from servers import Server
from tests.conftest import Pool
from tests.keyspace import list_keys
from tests.support import fresh_partition

LIST = "list\0"


def add(*numbers: int) -> list[Append]:
    """Return appends of items that say their own number."""
    return [Append("items", make_entry(f"i{n}", b"%d" % n)) for n in numbers]


def put(id: str, *spans: tuple[int, int], branch: str = "", made_ms: int | None = None) -> PutCheckpoint:
    """Return a checkpoint with one part of its own, which refers to these entries."""
    name = LIST + id
    return PutCheckpoint(branch, id, None, b"head", (name,), {name: Part(spans=tuple(Span(*each) for each in spans))}, made_ms)


def write(id: str, *indexes: int, data: bytes = b"data") -> PutWrites:
    """Return writes of one task."""
    return PutWrites("", id, tuple(Write("", "task", index, "list", data) for index in indexes))


def told(page: CheckpointPage) -> list[int]:
    """Return what the items say that came with a page, in order."""
    return [int(entry.data) for _, entry in sorted(page.entries.items())]


@pytest.fixture
async def backend(url_of: Callable[..., str]) -> AsyncIterator[RedisBackend]:
    """An open store on the oldest server, whose scripts and commands every other one has."""
    opened = await open_backend(url_of("redis-6.2"))
    yield opened
    await opened.aclose()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Every request that goes out from now on."""
    requests: list[Request] = []
    send = Client.send

    def note(self: Client, request: Request) -> None:
        requests.append(request)
        send(self, request)

    monkeypatch.setattr(Client, "send", note)
    return requests


def scripts(sent: list[Request]) -> list[str | None]:
    """Return the name of the script of each request, and forget them."""
    names = [request.script.name if request.script else None for request in sent]
    sent.clear()
    return names


async def test_a_step_is_one_lean_script_and_a_state_one_trip(backend: RedisBackend, sent: list[Request]) -> None:
    partition = fresh_partition()
    made = (await backend.commit(partition, [*add(1, 2), put("1", (-1, 2))], expect=0)).outcomes[2]
    fence = await backend.claim(partition, "writer", "me", ttl_ms=60_000)
    assert fence is not None
    await backend.get_checkpoint(partition, "")
    await backend.trace_checkpoint(partition, "", None, ["list"])
    sent.clear()
    done = await backend.commit(partition, [*add(2, 3), put("2", (1, 1), (-1, 2), made_ms=made)], expect=PRESENT)
    assert (done.revision, done.outcomes) == (2, (-2, 3, made))
    done = await backend.commit(partition, [Fenced("writer", fence.fence), put("3", (-1, 1)), *add(4)])
    assert (done.revision, done.outcomes) == (3, (0, made, 4))
    done = await backend.commit(partition, [write("3", 0, 1), Fenced("writer", fence.fence)], expect=PRESENT)
    assert (done.revision, done.outcomes) == (4, (2, 0))
    assert scripts(sent) == ["checkpoint"] * 3
    assert (await backend.get_checkpoint(partition, "", "2")).parts == {LIST + "2": Part(spans=(Span(1, 3),))}
    assert len((await backend.list_checkpoints(partition)).checkpoints) == 3
    await backend.trace_checkpoint(partition, "", None, ["list"])
    assert scripts(sent) == [None] * 3


async def test_on_a_cluster_the_listing_costs_a_trip_and_nothing_else_does(
    url_of: Callable[..., str], sent: list[Request]
) -> None:
    store, partition = await open_backend(url_of("cluster-3")), fresh_partition()
    try:
        await store.commit(partition, [*add(1), put("1", (-1, 1))], expect=0, listed=True)
        # Each server learns a script when it is first called there.
        assert told(await store.get_checkpoint(partition, "")) == [1]
        sent.clear()
        await store.commit(partition, [*add(2), put("2", (1, 1), (-1, 1))], expect=PRESENT, listed=True)
        await store.commit(partition, [write("2", 0)], expect=PRESENT)
        assert scripts(sent) == ["touch", "checkpoint", "checkpoint"]
        assert told(await store.get_checkpoint(partition, "")) == [1, 2]
        assert len(sent) == 1
    finally:
        await store.aclose()


async def test_a_refused_step_has_written_nothing(backend: RedisBackend, sent: list[Request]) -> None:
    partition = fresh_partition()
    made = (await backend.commit(partition, [*add(1), put("1", (-1, 1))], expect=0)).outcomes[1]
    before = await backend.fetch(partition), await backend.list_checkpoints(partition)
    lost = PutCheckpoint("", "2", "1", b"", (LIST + "nowhere",))
    sent.clear()
    for refused in (put("2", (-1, 1), made_ms=made + 1), lost):
        with pytest.raises(ConflictError):
            await backend.commit(partition, [*add(2), refused], expect=PRESENT)
    for kept in (put("2", (-1, 1)), write("1", 0)):
        with pytest.raises(FencedError):
            await backend.commit(partition, [*(add(2) if kept.id == "2" else ()), kept, Fenced("writer", 1)], expect=PRESENT)
    assert scripts(sent) == ["checkpoint"] * 4
    assert (await backend.fetch(partition)).revision == before[0].revision
    assert await backend.list_checkpoints(partition) == before[1]
    assert len((await backend.read(partition, "items")).entries) == 1


async def test_what_is_out_of_the_common_way_goes_the_general_one(backend: RedisBackend, sent: list[Request]) -> None:
    partition = fresh_partition()
    await backend.commit(partition, [put("1")])
    await backend.commit(partition, add(1, 2, 3, 4))
    await backend.commit(partition, [Truncate("items", 2)])
    sent.clear()
    # What was cut off leaves its positions behind.
    done = await backend.commit(partition, [*add(5), put("2", (1, 2), (-1, 1))])
    assert done.outcomes[0] == 5
    assert scripts(sent) == ["checkpoint", "commit"]
    assert told(await backend.get_checkpoint(partition, "")) == [1, 2, 5]
    # Another log has to be kept alive with it.
    await backend.commit(partition, [Append("other", make_entry("a", b"")), Expire(60_000)])
    sent.clear()
    await backend.commit(partition, [*add(6), put("3", (-1, 1))])
    # The first time, the names of the logs are asked for.
    assert scripts(sent) == ["checkpoint", "commit", "commit"]
    await backend.commit(partition, [write("3", 0)])
    assert scripts(sent) == ["checkpoint", "commit"]


async def test_a_server_that_forgets_its_scripts_is_told_them_again(url_of: Callable[..., str], pool: Pool) -> None:
    store, partition = await open_backend(url_of("redis-6.2")), fresh_partition()
    server = pool.get("redis-6.2")
    try:
        await store.commit(partition, [*add(1), put("1", (-1, 1))])
        pages = []
        for _ in range(2):
            server.call("SCRIPT", "FLUSH")  # type: ignore[union-attr]  # one server
            pages.append(await store.get_checkpoint(partition, ""))
            pages.append(await store.list_checkpoints(partition))
            assert (await store.trace_checkpoint(partition, "", None, ["list"])).ancestors == ()
            await store.commit(partition, [write("1", 0)], expect=PRESENT)
        assert [told(page) for page in pages] == [[1]] * 4
        assert [len(page.checkpoints[0].writes) for page in pages] == [0, 0, 1, 1]
    finally:
        await store.aclose()


@pytest.mark.parametrize("window", [0, 1, 30, 60, 1_000])
async def test_entries_beyond_the_window_cost_one_more_trip(backend: RedisBackend, sent: list[Request], window: int) -> None:
    partition = fresh_partition()
    await backend.commit(partition, add(*range(1, 201)))
    await backend.commit(partition, [Trim("items", 11)])
    spans = ((5, 10), (20, 2), (30, 1), (150, 3), (160, 5), (2, 30), (140, 11), (199, 1))
    await backend.commit(partition, [put("1", *spans)])
    expected = sorted({n for first, count in spans for n in range(first, first + count) if n > 10})
    sent.clear()
    assert told(await backend.get_checkpoint(partition, "", window=window)) == expected
    scripts(sent)
    await backend.get_checkpoint(partition, "", window=window)
    assert len(sent) == (1 if window == 1_000 else 2)


async def test_a_thread_that_began_anew_between_two_trips_is_read_again(
    backend: RedisBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = fresh_partition()
    made = (await backend.commit(partition, [*add(1, 2, 3), put("1", (-1, 3))])).outcomes[3]
    call, calls = Client.call, 0

    async def call_later(self: Client, key: bytes, payload: bytes, replies: int = 1, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            monkeypatch.setattr(Client, "call", call)
            made_again = made
            while made_again == made:
                # The store's clock tells one life from the next.
                await backend.drop(partition, tombstone_ms=0)
                made_again = (await backend.commit(partition, [*add(7, 8, 9), put("2", (-2, 2))])).outcomes[3]
            monkeypatch.setattr(Client, "call", call_later)
        return await call(self, key, payload, replies, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Client, "call", call_later)
    page = await backend.get_checkpoint(partition, "", window=0)
    assert ([each.id for each in page.checkpoints], told(page), calls) == (["2"], [8, 9], 4)


@pytest.mark.parametrize("kind", ["fixed", "sliding"])
async def test_every_key_of_a_thread_that_ages_ends_at_the_same_moment(url_of: Callable[..., str], pool: Pool, kind: str) -> None:
    url = url_of("valkey-9.1")
    namespace = url.partition("namespace=")[2]
    store, partition = await open_backend(url), fresh_partition()

    async def ends() -> set[int]:
        found = list_keys(pool.get("valkey-9.1"), f"{namespace}:*")
        ages = {key for key in found if "}:threads" not in key and "}:made" not in key}
        assert {key.rpartition("}:")[2].partition(":")[0] for key in ages} >= {"meta", "points", "parts"}
        return {int(str(pool.get("valkey-9.1").call("PEXPIRETIME", key))) for key in ages}  # type: ignore[union-attr]

    try:
        expire = Expire(60_000, kind)  # type: ignore[arg-type]  # as the parameters say
        await store.commit(partition, [PutDocument("a", b"1"), put("1"), expire], expect=0, once="t")
        first = await ends()
        steps: list[list[Change]] = [
            [write("1", 0)],
            [*add(1), put("2", (-1, 1))],
            [*add(*range(2, 60)), put("3", (-1, 58))],
            [write("3", 0, 1)],
        ]
        for step in steps:
            await store.commit(partition, step, expect=PRESENT)
            seen = await ends()
            assert len(seen) == 1
            assert -1 not in seen
        assert seen == first if kind == "fixed" else min(seen) >= max(first)
    finally:
        await store.aclose()


async def test_a_checkpoint_rings_for_those_who_follow_the_items(backend: RedisBackend) -> None:
    partition = fresh_partition()
    await backend.commit(partition, [put("1")])
    await backend.commit(partition, add(1))
    async with asyncio.timeout(5):
        n = 1
        async for entry in backend.follow(partition, "items"):
            assert entry.id == f"i{n}"
            if n == 3:
                break
            # Well before a follower looks without a bell.
            n += 1
            await backend.commit(partition, [*add(n), put(f"{n}", (-1, 1))], expect=PRESENT)


async def test_a_step_waits_for_the_replicas_that_the_url_asks_for(url_of: Callable[..., str]) -> None:
    store = await open_backend(url_of("redis-6.2", replicas=1, replica_timeout=0.05))
    partition = fresh_partition()
    steps: list[tuple[int, list[Change]]] = [(0, [put("1")]), (PRESENT, [*add(1), put("2", (-1, 1))]), (PRESENT, [write("2", 0)])]
    try:
        for expect, step in steps:
            with pytest.raises(NotReplicatedError):
                await store.commit(partition, step, expect=expect)
        page = await store.get_checkpoint(partition, "")
        assert (told(page), len(page.checkpoints[0].writes)) == ([1], 1)
    finally:
        await store.aclose()


@pytest.mark.parametrize("program", ["redis-6.2", "redis-8.2"])
async def test_a_full_server_refuses_a_step_whole(program: str, own_server: Callable[..., Server]) -> None:
    server = own_server(program, options={"maxmemory-policy": "noeviction"})
    store, partition = await open_backend(server.url), fresh_partition()
    try:
        await store.commit(partition, [*add(1), put("1", (-1, 1))], expect=0)
        # Known to the server before it is full: loading a script takes memory too.
        await store.commit(partition, [write("1", 0)], expect=PRESENT)

        async def look() -> object:
            return await store.get_checkpoint(partition, ""), await store.trace_checkpoint(partition, "", None, ["list"])

        before = await look()
        server.call("CONFIG", "SET", "maxmemory", 1)
        steps: list[list[Change]] = [[put("2")], [*add(2), put("2", (-1, 1))], [write("1", 1)]]
        for step in steps:
            with pytest.raises(FullError):
                await store.commit(partition, step, expect=PRESENT)
        if program != "redis-6.2":
            # Which takes no MULTI while it is full.
            assert await look() == before
        server.call("CONFIG", "SET", "maxmemory", 0)
        assert await look() == before
        assert (await store.commit(partition, steps[1], expect=PRESENT)).outcomes[0] == 2
    finally:
        await store.aclose()


async def test_many_parts_uses_and_writes_fit_one_change(backend: RedisBackend) -> None:
    partition = fresh_partition()
    parts = {f"c{n}\0001": Part(b"%d" % n) for n in range(3_000)}
    first = PutCheckpoint("", "1", None, b"", tuple(parts), parts)
    await backend.commit(partition, [first, PutDocument("a", b"1")])
    done = await backend.commit(partition, [PutCheckpoint("", "2", "1", b"", tuple(parts))], expect=PRESENT)
    assert done.revision == 2
    page = await backend.get_checkpoint(partition, "")
    assert (page.checkpoints[0].uses, page.parts) == (tuple(parts), parts)
    assert (await backend.commit(partition, [write("2", *range(4_000))], expect=PRESENT)).outcomes == (4_000,)
    # The first of each stays; one more is new, and one below 0.
    assert (await backend.commit(partition, [write("2", *range(-1, 4_001), data=b"x")], expect=PRESENT)).outcomes == (2,)
    written = (await backend.get_checkpoint(partition, "")).checkpoints[0].writes
    assert [each.index for each in written] == list(range(-1, 4_001))
    assert {each.index for each in written if each.data == b"x"} == {-1, 4_000}


async def test_the_name_that_stands_for_checkpoints_is_no_logs(backend: RedisBackend) -> None:
    partition = fresh_partition()
    await backend.commit(partition, [put("1"), Append("a*checkpoints", make_entry("a", b"1"))])
    await backend.commit(partition, [write("1", 0)], expect=PRESENT)
    assert len((await backend.read(partition, "a*checkpoints")).entries) == 1
    with pytest.raises(InvalidError):
        await backend.read(partition, "*checkpoints")
    with pytest.raises(InvalidError):
        await anext(backend.follow(partition, "*checkpoints"))
    with pytest.raises(InvalidError):
        await backend.commit(partition, [Append("*checkpoints", make_entry("a", b"1"))])
    assert await backend.drop(partition)


async def test_a_way_longer_than_one_walk_of_the_server_is_gone_to_its_end(backend: RedisBackend) -> None:
    partition, most = fresh_partition(), 2_500

    def step(n: int, parent: int) -> PutCheckpoint:
        parts = {"seed\0001": Part(b"seed")} if n == 1 else {"near\0001": Part(b"near")} if n == most - 5 else {}
        return PutCheckpoint("b", f"{n:05}", f"{parent:05}", b"", tuple(parts), parts)

    await backend.commit(partition, [step(n, n - 1) for n in range(1, most + 1)])
    trace = await backend.trace_checkpoint(partition, "b", None, ["seed", "near", "none"])
    assert [id for id, _ in trace.ancestors] == [f"{n:05}" for n in range(most - 1, 0, -1)]
    assert trace.seeds == {"seed": "seed\0001", "near": "near\0001"}
    assert {name: part.data for name, part in trace.parts.items()} == {"seed\0001": b"seed", "near\0001": b"near"}
    # A ring, longer than one walk too.
    await backend.commit(partition, [step(1, most)])
    ring = await backend.trace_checkpoint(partition, "b", f"{most:05}", ["none"])
    assert {id for id, _ in ring.ancestors} >= {f"{n:05}" for n in range(1, most)}
    assert len(ring.ancestors) <= most


async def test_steps_of_many_at_once_all_arrive(backend: RedisBackend) -> None:
    partition = fresh_partition()
    await backend.commit(partition, [put("0")])

    async def work(n: int) -> None:
        await backend.commit(partition, [*add(n), put(f"{n:03}", (-1, 1))], expect=PRESENT)
        await backend.commit(partition, [write(f"{n:03}", 0)], expect=PRESENT)

    await asyncio.gather(*(work(n) for n in range(1, 101)))
    page = await backend.list_checkpoints(partition, limit=100)
    assert (await backend.revision(partition), len(page.checkpoints), page.has_more) == (201, 100, True)
    for each in page.checkpoints:
        ((first, count),) = page.parts[each.uses[0]].spans
        assert (int(page.entries[first].data), count, len(each.writes)) == (int(each.id), 1, 1)
