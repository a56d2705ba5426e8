"""The runs of a thread over HTTP: listed, read, asked to stop. Their events are read in `endpoints`."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from . import endpoints
from .operations import Operation, Parameter, choice_of, number_of, query_of, send
from .threads_api import CURSOR, HELD, ONE, limit_parameter, ref_of, store_of
from .wire import RunPage, RunView, StandingView, StopView, run_view

RUNS: Final = ONE + "/runs"
RUN: Final = RUNS + "/{run}"


async def list_(request: Request) -> Response:
    """List the runs of a thread, the newest first."""
    query = query_of(request, "limit", "cursor", "open")
    store, ref = store_of(request), ref_of(request)
    page = await store.runs.list(
        ref,
        only_open=choice_of(query, "open", "false", "true") == "true",
        limit=number_of(query, "limit", 20),
        cursor=query.get("cursor"),
    )
    if not page.data and "cursor" not in query:
        # A thread without runs is one thing, no thread another.
        await store.threads.get(ref)
    return send(RunPage([run_view(each) for each in page], page.has_more, page.cursor if page.has_more else None))


async def get(request: Request) -> Response:
    """Read a run."""
    query_of(request)
    return send(run_view(await store_of(request).runs.get(ref_of(request), request.path_params["run"])))


async def cancel(request: Request) -> Response:
    """Ask a run to stop. 202: it has been told; its end is an event of the run."""
    return send(run_view(await store_of(request).runs.cancel(ref_of(request), request.path_params["run"])), 202)


_TAG: Final = "runs"
_OPEN: Final = Parameter("open", "Only those that have not ended.", {"type": "string", "enum": ["false", "true"]})
_AFTER: Final = Parameter("Last-Event-ID", "The id of the last event that the caller has.", {"type": "string"}, "header")
_AFTER_TOO: Final = Parameter("after", "The same, for who cannot send that header.", {"type": "string"})

OPERATIONS: Final = (
    Operation("GET", RUNS, list_, "List runs", _TAG, answer=RunPage, parameters=(limit_parameter(), CURSOR, _OPEN),
              problems=HELD),
    Operation("GET", RUNS + "/active", endpoints.active, "Tell how a thread stands", _TAG, answer=StandingView, problems=HELD),
    Operation("GET", RUN, get, "Read a run", _TAG, answer=RunView, problems=HELD),
    Operation("POST", RUN + "/cancel", cancel, "Ask a run to stop", _TAG, answer=RunView, status=202, problems=HELD),
    Operation("GET", RUN + "/events", endpoints.events, "Follow a run's events", _TAG, raw="text/event-stream",
              parameters=(_AFTER, _AFTER_TOO), problems=HELD),
    Operation("POST", RUN + "/stop", endpoints.stop, "Ask an answer to stop", _TAG, answer=StopView, status=202, problems=HELD),
)  # fmt: skip
