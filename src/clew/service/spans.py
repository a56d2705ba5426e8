"""A span for each request, which goes on where the caller's W3C `traceparent` says; and the SDK, as OTEL_* variables set it up.

A request that something else has made a span of is left to that, as with `opentelemetry-instrument`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any, Final

from starlette.types import Scope

from ..errors import MissingExtraError
from .logs import QUIET, trace_ids
from .seeing import Told

try:
    from opentelemetry import propagate, trace
except ImportError as error:
    raise MissingExtraError("tracing", "tracing") from error

logger = logging.getLogger("clew.service")

_EXPORTERS: Final = "opentelemetry_traces_exporter"
_ERROR: Final = trace.Status(trace.StatusCode.ERROR)
_UNSAMPLED: Final = trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False, trace_flags=trace.TraceFlags(0)))
"""What machines ask every few seconds goes below it, so that it is no span unless a sampler of the operator's says so."""


class HttpSpans:
    """Implements Spanning."""

    def __init__(self) -> None:
        """Set up the SDK where nobody has: with the exporters that OTEL_TRACES_EXPORTER names, `otlp` where it names none."""
        self._shut_down = _set_up()
        self._tracer = trace.get_tracer("clew.service")

    @contextmanager
    def span(self, scope: Scope, told: Told) -> Iterator[None]:
        """See Spanning.span."""
        if trace.get_current_span().is_recording():
            yield
            return
        if scope["path"] in QUIET:
            with trace.use_span(_UNSAMPLED, record_exception=False, set_status_on_exception=False):
                yield
            return
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}
        method = "_OTHER" if told.method == "other" else told.method
        attributes = {"http.request.method": method, "url.scheme": scope["scheme"]}
        with self._tracer.start_as_current_span(
            told.method,
            context=propagate.extract(carrier),
            kind=trace.SpanKind.SERVER,
            attributes=attributes,
            # Its message may hold what people wrote.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            context = span.get_span_context()
            ids = trace_ids.set({"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"})
            try:
                yield
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                raise
            finally:
                trace_ids.reset(ids)
                span.update_name(f"{told.method} {told.route}")
                span.set_attribute("http.route", told.route)
                if told.status is not None:
                    span.set_attribute("http.response.status_code", told.status)
                if told.status is None or told.status >= 500:
                    span.set_status(_ERROR)

    def close(self) -> None:
        """Send what is not sent yet."""
        self._shut_down()


def _set_up() -> Callable[[], None]:
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        # A program, or `opentelemetry-instrument`, has done so.
        return _do_nothing
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _warn("no SDK is installed: pip install opentelemetry-sdk opentelemetry-exporter-otlp")
        return _do_nothing
    is_named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    provider = TracerProvider(resource=Resource.create({} if is_named else {"service.name": "clew"}), shutdown_on_exit=False)
    for name in os.environ.get("OTEL_TRACES_EXPORTER", "otlp").split(","):
        make = _find_exporter(name.strip())
        if make is not None:
            provider.add_span_processor(BatchSpanProcessor(make()))
    trace.set_tracer_provider(provider)
    return provider.shutdown


def _find_exporter(name: str) -> Callable[[], Any] | None:  # an exporter of the SDK, which may not be there
    if name in ("none", ""):
        return None
    if name == "otlp":
        protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL"))
        wanted = ["otlp_proto_grpc"] if protocol == "grpc" else ["otlp_proto_http"]
        wanted += [] if protocol else ["otlp_proto_grpc"]
    else:
        wanted = [name]
    found = {each.name: each for each in entry_points(group=_EXPORTERS)}
    for each in wanted:
        if each in found:
            make: Callable[[], Any] = found[each].load()
            return make
    _warn(f"there is no exporter {name}: pip install opentelemetry-exporter-{name}, or set OTEL_TRACES_EXPORTER")
    return None


def _warn(why: str) -> None:
    logger.warning("spans go nowhere: %s", why, extra={"event": "no_exporter"})


def _do_nothing() -> None:
    """Whoever made the provider shuts it down."""
