"""`GET /metrics`: what a worker tells Prometheus of its requests and of its store, and what it never tells."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from servers import Server

from ...support import find_program, wait_until, with_options
from .conftest import THREADS, Serve, make_thread, problem
from .signing import SECRET, sign

WHO, HIDDEN = "ada-of-the-labels", "what-ada-wrote"
OPEN_METRICS = {"accept": "application/openmetrics-text; version=1.0.0, text/plain; version=0.0.4; q=0.5"}
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(client: httpx2.AsyncClient) -> Samples:
    """Return each sample by its name and labels, as Prometheus reads them."""
    reply = await client.get("/metrics")
    assert reply.status_code == 200, reply.text
    families = parse_text(reply.text)
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def total(samples: Samples, name: str, **labels: str) -> float:
    """Return the sum of the samples of a name that have these labels."""
    wanted = set(labels.items())
    return sum(value for (each, found), value in samples.items() if each == name and wanted <= found)


async def test_requests_and_operations_are_counted_without_a_word_of_whose_they_are(
    serve: Serve, url_of: Callable[..., str]
) -> None:
    for kind in ("sqlite", "redis"):
        api = await serve(None if kind == "sqlite" else url_of("redis-8.2"), CLEW_METRICS="on")
        before = await scrape(api.nobody)
        async with api.client(sign(WHO)) as ada:
            thread = await make_thread(ada, id=HIDDEN, title=HIDDEN, items=[{"data": HIDDEN}])
            for _ in range(3):
                await ada.get(f"{THREADS}/{thread}/items")
            await ada.request("PROPFIND", f"/api/{HIDDEN}")
        assert problem(await api.eve.get(f"{THREADS}/{thread}/items")) == "missing"
        after = await scrape(api.nobody)

        def more(name: str, **labels: str) -> float:
            return total(after, name, **labels) - total(before, name, **labels)  # noqa: B023  # called in this turn

        items = {"route": THREADS + "/{thread}/items", "method": "GET"}
        assert more("clew_http_request_duration_seconds_count", **items, status="200") == 3
        assert more("clew_http_request_duration_seconds_count", **items, status="404") == 1
        assert more("clew_http_request_duration_seconds_count", route="-", method="other") == 1
        assert more("clew_store_operation_duration_seconds_count", operation="commit", outcome="ok", engine=kind) >= 1
        assert more("clew_store_operation_duration_seconds_sum", engine=kind) > 0
        assert more("clew_store_round_trips_total", engine=kind) >= 2
        if kind == "redis":
            assert more("clew_store_sent_bytes_total", engine=kind) > 100
            assert more("clew_store_received_bytes_total", engine=kind) > 100
            assert total(after, "clew_store_connections", engine=kind) >= 1
        assert total(after, "clew_info") == 1
        words = [word for _, labels in after for pair in labels for word in pair]
        assert not [word for word in words for secret in (HIDDEN, WHO, SECRET, sign(WHO)) if secret in word]


async def test_metrics_are_told_as_a_scraper_asks(serve: Serve) -> None:
    api = await serve("memory://", CLEW_METRICS="on")
    plain = await api.nobody.get("/metrics", headers={"accept": "*/*", "accept-encoding": "identity"})
    assert plain.headers["content-type"].startswith("text/plain; version=")
    assert "content-encoding" not in plain.headers
    found = await api.nobody.get("/metrics", headers={**OPEN_METRICS, "accept-encoding": "gzip"})
    assert found.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert found.headers["content-encoding"] == "gzip"
    assert found.text.endswith("# EOF\n")
    names = {family.name for family in parse_openmetrics(found.text)}  # type: ignore[no-untyped-call]
    assert {"clew_store_operation_duration_seconds", "clew_http_request_duration_seconds", "clew_journal_depth"} <= names


async def test_who_may_ask_is_a_setting(serve: Serve) -> None:
    off = await serve("memory://")
    reply = await off.nobody.get("/metrics")
    assert (problem(reply), reply.status_code) == ("missing", 404)
    assert "CLEW_METRICS=on" in reply.json()["detail"]
    guarded = await serve("memory://", CLEW_METRICS="token")
    assert problem(await guarded.nobody.get("/metrics")) == "unauthorized"
    assert total(await scrape(guarded.ada), "clew_info") == 1


async def test_an_outage_is_seen_in_errors_retries_and_the_journal(serve: Serve, tmp_path: Path) -> None:
    with Server(find_program("valkey-9.1"), durable=True) as server:
        url = with_options(server.url.replace("redis://", "valkey://"), timeout=0.5)
        env = {"CLEW_ON_OUTAGE": "journal", "CLEW_JOURNAL": str(tmp_path / "journal"), "CLEW_METRICS": "on"}
        api = await serve(url, **env)
        here = f"{THREADS}/{await make_thread(api.ada)}"
        before = await scrape(api.nobody)
        assert [total(before, name) for name in ("clew_journal_depth", "clew_journal_aside", "clew_store_away")] == [0, 0, 0]
        server.kill()
        assert problem(await api.ada.get(here)) == "unavailable"
        for n in range(3):
            assert (await api.ada.post(f"{here}/items", json={"items": [{"data": n}]})).status_code == 202
        during = await scrape(api.nobody)
        assert total(during, "clew_store_retries_total", engine="valkey") > total(before, "clew_store_retries_total")
        errors = ("clew_store_errors_total", {"error": "UnavailableError", "engine": "valkey"})
        assert total(during, errors[0], **errors[1]) > total(before, errors[0], **errors[1])
        outcome = {"outcome": "pending", "engine": "valkey"}
        assert total(during, "clew_store_operation_duration_seconds_count", **outcome) == 3
        assert total(during, "clew_journal_depth") == 3
        assert total(during, "clew_store_away") == 1
        assert total(during, "clew_store_connections", engine="valkey") == 0

        async def is_older() -> bool:
            return total(await scrape(api.nobody), "clew_journal_oldest_seconds") > 0.05

        await wait_until(is_older)
        server.restart()

        async def is_written() -> bool:
            return total(await scrape(api.nobody), "clew_journal_depth") == 0

        await wait_until(is_written, 30)
        after = await scrape(api.nobody)
        assert total(after, "clew_journal_oldest_seconds") == 0
        opened = "clew_store_connections_opened_total"
        assert total(after, opened, engine="valkey") > total(before, opened, engine="valkey")


async def test_a_service_without_the_libraries_serves_and_says_what_to_install(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in [name for name in sys.modules if name.startswith(("clew.wrappers.observing.", "clew.service.measuring"))]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("prometheus_client", "opentelemetry"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("clew.service.spans", "clew.service.measuring"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    api = await serve("memory://", CLEW_METRICS="on", CLEW_TRACING="on")
    assert (await api.nobody.get("/readyz")).json()["ready"]
    reply = await api.nobody.get("/metrics")
    assert (reply.status_code, problem(reply)) == (501, "not-installed")
    assert "pip install 'clew[metrics]'" in reply.json()["detail"]
    told = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert [("clew[metrics]" in line, "clew[tracing]" in line) for line in told] == [(True, False), (False, True), (True, False)]
    caplog.clear()
