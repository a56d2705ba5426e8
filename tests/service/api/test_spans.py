"""A request of the service as a span that goes on where its caller's trace is, with its operations on the store below it."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Sequence

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from clew.service.logs import Lines, caller_of
from clew.service.seeing import Told
from clew.service.spans import HttpSpans

from .conftest import THREADS, Api, Serve, make_thread
from .signing import SECRET, sign
from .test_chat import say

WHO, HIDDEN = "ada-of-the-spans", "what-ada-wrote"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
FROM_CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
Ended = Callable[[], list[ReadableSpan]]


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ended]:
    """Return the spans that ended in this test."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # A process has one provider, once and for all; this test has its own.
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield lambda: list(exporter.get_finished_spans())
    provider.shutdown()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[io.StringIO]:
    """Return what is written of requests as JSON."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(Lines())
    logger = logging.getLogger("clew.access")
    caplog.set_level("INFO", "clew")
    logger.addHandler(handler)
    yield handler.stream
    logger.removeHandler(handler)


async def test_a_request_shows_its_operations_in_its_callers_trace(serve: Serve, ended: Ended, lines: io.StringIO) -> None:
    api = await serve("memory://", CLEW_TRACING="on")
    async with api.client(sign(WHO)) as ada:
        ada.headers.update(FROM_CALLER)
        await make_thread(ada, id=HIDDEN, title=HIDDEN, items=[{"data": HIDDEN}])
        assert (await ada.get(f"{THREADS}/{HIDDEN}/none")).status_code == 404
        assert (await ada.get(f"{THREADS}/{HIDDEN}")).status_code == 200
        assert (await ada.get("/readyz")).status_code == 200
    mine = [each for each in ended() if each.context and f"{each.context.trace_id:032x}" == TRACE]
    requests = [each for each in mine if each.kind is trace.SpanKind.SERVER]
    assert [each.name for each in requests] == [f"POST {THREADS}", "GET -", f"GET {THREADS}/{{thread}}"]
    made = requests[0]
    assert made.context is not None
    assert dict(made.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": THREADS,
        "http.response.status_code": 201,
        "url.scheme": "http",
    }
    assert {f"{each.parent.span_id:016x}" for each in requests if each.parent} == {PARENT}
    assert lines.getvalue().count(f'"trace_id":"{TRACE}"') == len(requests)
    below = [each.name for each in mine if each.parent and each.parent.span_id == made.context.span_id]
    assert "commit" in below
    assert len(mine) == len(requests) + sum(each.kind is trace.SpanKind.CLIENT for each in mine)
    assert len(mine) == len(ended()), "what asks whether it is ready is no span"
    told = "".join(each.to_json() for each in ended())
    assert not [word for word in (WHO, HIDDEN, SECRET, caller_of(WHO)) if word in told]


async def test_a_chat_request_shows_the_operations_of_its_answer_too(serve: Serve, ended: Ended) -> None:
    api = await serve("memory://", CLEW_TRACING="on")
    api.ada.headers.update(FROM_CALLER)
    await say(api.ada, "words 2 0")
    mine = [each for each in ended() if each.context and f"{each.context.trace_id:032x}" == TRACE]
    assert "POST /api/v1/chat" in [each.name for each in mine]
    assert {"start_run", "end_run", "commit"} <= {each.name for each in mine}


async def test_a_fault_is_a_failed_span_without_its_message(serve: Serve, ended: Ended) -> None:
    api: Api = await serve("memory://", CLEW_TRACING="on")
    room = api.app.state.room
    del api.app.state.room
    try:
        assert (await api.ada.get(THREADS)).status_code == 500
    finally:
        api.app.state.room = room
    (span,) = [each for each in ended() if each.name == f"GET {THREADS}"]
    assert dict(span.attributes or {})["error.type"] == "AttributeError"
    assert (span.status.status_code, span.status.description, span.events) == (trace.StatusCode.ERROR, None, ())


async def test_a_request_that_is_a_span_already_is_left_to_it(serve: Serve, ended: Ended) -> None:
    api = await serve("memory://", CLEW_TRACING="on")
    scope = {"type": "http", "app": api.app, "method": "GET", "path": "/healthz", "headers": [], "scheme": "http"}
    with trace.get_tracer("another").start_as_current_span("outer"), api.app.state.sight.spans.span(scope, Told("GET")):
        assert getattr(trace.get_current_span(), "name", "") == "outer"
    assert "outer" in [each.name for each in ended()]


@pytest.mark.parametrize("exporter", ["console", "otlp", "none"])
def test_the_sdk_is_set_up_as_its_variables_say(
    exporter: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", exporter)
    found: list[TracerProvider] = []
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: found[0] if found else trace.ProxyTracerProvider())
    monkeypatch.setattr(trace, "set_tracer_provider", found.append)
    sent: list[str] = []

    def export(_: ConsoleSpanExporter, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        sent.extend(each.name for each in spans)
        return SpanExportResult.SUCCESS

    # It writes to the standard output of the moment when it was imported.
    monkeypatch.setattr(ConsoleSpanExporter, "export", export)
    made = HttpSpans()
    with made.span({"type": "http", "path": "/x", "headers": [], "scheme": "http"}, Told("GET")):
        pass
    made.close()
    told = [each.getMessage() for each in caplog.records]
    caplog.clear()
    assert found[0].resource.attributes["service.name"] == "clew"
    assert sent == (["GET -"] if exporter == "console" else [])
    assert ["opentelemetry-exporter-otlp" in line for line in told] == ([True] if exporter == "otlp" else [])
