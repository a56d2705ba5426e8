"""What is seen of a store's operations, and that a store which is seen does what it does unseen."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

import clew
from clew import NewItem
from clew.backend import Backend
from clew.errors import ClosedError, InvalidError, NotFoundError
from clew.metering import Metering
from clew.schemes import open_backend
from clew.wrappers.observing import Observed, bare
from clew.wrappers.observing.observed import OPERATIONS

from ..support import fresh_partition, wait_until, with_options

BOTH = "metrics=on&tracing=on"
OWNER, NAME, WORDS = "ada-of-the-spans", "thread-of-the-spans", "words-of-the-spans"


def value(name: str, **labels: str) -> float:
    """Return a sample of this process, 0 where there is none."""
    samples = (sample for family in REGISTRY.collect() for sample in family.samples)
    return sum(sample.value for sample in samples if sample.name == name and sample.labels == labels)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[ReadableSpan]]:
    """Return the spans that ended in this test."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # A process has one provider, once and for all; this test has its own.
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    return lambda: list(exporter.get_finished_spans())


@pytest.mark.parametrize("options", ["", "&compress=1", "&encryption_values=yes&encryption_secret=a:" + "A" * 43 + "%3D"])
async def test_a_store_that_is_seen_has_the_same_verbs_and_no_others(options: str) -> None:
    unseen, seen = await open_backend(f"memory://?{options[1:]}"), await open_backend(f"memory://?{BOTH}{options}")
    try:
        names = [{name for name in dir(each) if not name.startswith("_")} for each in (unseen, seen)]
        assert names[1] - {"inner"} == names[0] - {"inner"}
        assert isinstance(bare(seen), type(unseen))
        assert isinstance(seen, Metering)
    finally:
        await asyncio.gather(unseen.aclose(), seen.aclose())


async def test_a_store_that_is_not_asked_to_be_seen_has_no_wrapper() -> None:
    for url in ("memory://", "memory://?metrics=off&tracing=off"):
        backend = await open_backend(url)
        assert not isinstance(backend, Observed)
        await backend.aclose()


@pytest.mark.parametrize("options", ["metrics=yes", "tracing=1", "metrics=on&metrics=on"])
async def test_an_option_that_is_neither_on_nor_off_is_refused(options: str) -> None:
    with pytest.raises(InvalidError, match=r"metrics|tracing"):
        await open_backend(f"memory://?{options}")


async def test_each_operation_is_counted_by_how_it_ended() -> None:
    seconds = "clew_store_operation_duration_seconds_count"
    before = {name: value(seconds, operation="commit", engine="memory", outcome=name) for name in ("ok", "NotFoundError")}
    errors = value("clew_store_errors_total", operation="commit", engine="memory", error="NotFoundError")
    async with clew.connect("memory://?metrics=on") as store:
        thread = await store.threads.create(OWNER)
        for _ in range(3):
            await store.items.append(thread, NewItem(b"x"))
        with pytest.raises(NotFoundError):
            await store.items.append(clew.Ref(OWNER, "none"), NewItem(b"x"))
        trips = value("clew_store_round_trips_total", engine="memory")
        await store.items.page(thread)
        assert value("clew_store_round_trips_total", engine="memory") == trips + 1
    after = {name: value(seconds, operation="commit", engine="memory", outcome=name) for name in before}
    assert after == {"ok": before["ok"] + 4, "NotFoundError": before["NotFoundError"] + 1}
    assert value("clew_store_errors_total", operation="commit", engine="memory", error="NotFoundError") == errors + 1


@contextlib.asynccontextmanager
async def followed(backend: Backend, steps: int) -> AsyncIterator[None]:
    """Let a run have ten events, while somebody who follows it has read some of them."""
    store = clew.Store(backend)
    thread = await store.threads.create(fresh_partition().owner)
    async with await store.runs.start(thread) as producer:
        events = store.runs.follow(thread, producer.run.id)
        async with contextlib.aclosing(events):
            await anext(events)
            for n in range(10):
                await producer.append(b"%d" % n)
            for _ in range(steps):
                await anext(events)
            yield
    await store.threads.delete(thread)


@pytest.mark.parametrize("kind", ["memory", "redis-8.2"])
async def test_a_follower_who_is_behind_is_seen_with_its_lag(kind: str, url_of: Callable[..., str]) -> None:
    url = "memory://?metrics=on" if kind == "memory" else with_options(url_of(kind), metrics="on")
    backend = await open_backend(url)
    given = value("clew_followed_events_total", kind="run")
    try:
        async with followed(backend, 3):
            await wait_until(lambda: value("clew_follower_lag_events") == 7)
            assert value("clew_followers", kind="run") == value("clew_followers_behind") == 1
        assert value("clew_followers", kind="run") == value("clew_follower_lag_events") == 0
        assert value("clew_followed_events_total", kind="run") == given + 4
    finally:
        await backend.aclose()


async def test_each_operation_is_a_span_below_the_callers_and_tells_nothing_of_whose_it_is(
    spans: Callable[[], list[ReadableSpan]], url_of: Callable[..., str]
) -> None:
    url = with_options(url_of("redis-8.2"), tracing="on")
    async with clew.connect(url) as store:
        with trace.get_tracer("test").start_as_current_span("caller") as caller:
            thread = await store.threads.create(OWNER, id=NAME, title=WORDS)
            await store.items.append(thread, NewItem(WORDS.encode()))
            with pytest.raises(NotFoundError):
                await store.items.append(clew.Ref(OWNER, WORDS), NewItem(b"x"))
            async with contextlib.aclosing(store.items.follow(thread)) as items:
                assert (await anext(items)).data == WORDS.encode()
        await store.threads.delete(thread)
    *_, deleted = found = [each for each in spans() if each.name != "caller"]
    operations = [each.name for each in found]
    assert operations[:3] == ["commit", "commit", "commit"]
    assert "follow" in operations
    assert set(operations) <= OPERATIONS | {"follow"}
    below = [each for each in found if each is not deleted]
    assert {each.parent.span_id for each in below if each.parent} == {caller.get_span_context().span_id}
    assert deleted.parent is None
    plain = dict(below[0].attributes or {})
    port = plain.pop("server.port")
    assert plain == {
        "db.system.name": "redis",
        "db.operation.name": "commit",
        "db.namespace": "0",
        "server.address": "127.0.0.1",
    }
    assert f":{port}" in url
    failed = [each for each in below if "error.type" in (each.attributes or {})]
    # It is an answer, and the store is well.
    assert [((each.attributes or {})["error.type"], each.status.status_code) for each in failed] == [
        ("NotFoundError", trace.StatusCode.UNSET)
    ]
    told = "".join(each.to_json() for each in found)
    assert not [word for word in (OWNER, NAME, WORDS) if word in told]


async def test_an_operation_that_fails_is_a_span_that_failed(spans: Callable[[], list[ReadableSpan]]) -> None:
    backend = await open_backend("memory://?tracing=on")
    await backend.aclose()
    with pytest.raises(ClosedError):
        await backend.revision(fresh_partition())
    (span,) = spans()
    assert (dict(span.attributes or {})["error.type"], span.status.status_code) == ("ClosedError", trace.StatusCode.ERROR)
    assert (span.status.description, span.events) == (None, ())


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:////data/ada/chat.db", {"db.system.name": "sqlite"}),
        ("redis://ada:secret@one:6380/3?namespace=n", {"server.address": "one", "server.port": 6380, "db.namespace": "3"}),
        ("rediss+cluster://one:1,two:2", {"server.address": "one", "server.port": 1}),
        ("redis+sentinel://one:26379,two/main", {"db.system.name": "redis"}),
        ("valkey://[::1]:6379", {"db.system.name": "valkey", "server.address": "::1"}),
        ("unix:///run/ada.sock", {"db.system.name": "redis"}),
    ],
)
async def test_a_span_tells_where_the_store_is_and_no_secret(url: str, told: dict[str, str | int]) -> None:
    from clew.wrappers.observing import Options, make_observers
    from clew.wrappers.observing.tracing import StoreTracing

    (observer,) = make_observers(url, Options(tracing=True))
    assert isinstance(observer, StoreTracing)
    found = observer.attributes
    assert told.items() <= found.items()
    assert "ada" not in str(found)
    assert "secret" not in str(found)
    if len(told) == 1:
        assert found == told


WORKER = """
import asyncio, sys
import clew
from clew.wrappers.observing.exposition import expose, look
async def main():
    async with clew.connect("memory://?metrics=on") as store:
        thread = await store.threads.create("ada")
        events = store.items.follow(thread)
        await store.items.append(thread, clew.NewItem(b"x"))
        await anext(events)
        look()
        print("ready", flush=True)
        if sys.stdin.readline() == "write\\n":
            sys.stdout.buffer.write(expose("", "")[0])
        await events.aclose()
asyncio.run(main())
"""


def test_each_worker_answers_for_all_that_have_a_folder_in_common_and_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    (tmp_path / "gauge_livesum_4194303.db").write_bytes(b"")
    one, two = (
        subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    )
    with one, two:
        for each in (one, two):
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        told = one.communicate("write\n", timeout=20)[0]
        two.communicate("end\n", timeout=20)
    assert 'clew_followers{kind="thread"} 2.0\n' in told
    assert 'clew_store_operation_duration_seconds_count{engine="memory",operation="commit",outcome="ok"} 4.0\n' in told
    trips = re.search(r'clew_store_round_trips_total{engine="memory"} (\d+)', told)
    assert trips is not None
    assert int(trips[1]) >= 6
    assert not (tmp_path / "gauge_livesum_4194303.db").exists(), "a worker that died holds nothing any more"
