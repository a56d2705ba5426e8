"""The endpoints: ChatKit's one, the runs beside it, attachments, and the three that machines ask."""

from __future__ import annotations

import asyncio
import logging

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from clew import Run

from ..adapters.chatkit import Reply
from ..errors import NotFoundError
from .identity import identity_of
from .operations import in_header, send
from .room import Context, Room
from .seeing import Sight
from .tail import FileFlow, Tail
from .wire import AnswerView, StandingView, StopView

logger = logging.getLogger("clew.service")


def room_of(request: Request) -> Room:
    """Return what the worker has open."""
    room: Room = request.app.state.room
    return room


def context_of(request: Request) -> Context:
    """Return whose request it is, and the base of the URLs they are given."""
    return {"owner": identity_of(request).owner, "base": f"{request.url.scheme}://{request.url.netloc}"}


async def chatkit(request: Request) -> Response:
    """ChatKit's protocol: one POST for everything."""
    # How long it may be, `limiting` sees to, as for every other address.
    answer = await room_of(request).server.process(await request.body(), context_of(request))
    if isinstance(answer, Reply):
        return Response(answer.json, media_type="application/json")
    return Tail(answer.frames, {"clew-thread": in_header(answer.thread_id), "clew-run": in_header(answer.run_id)})


async def events(request: Request) -> Response:
    """An answer's events, from the one after `Last-Event-ID` (or `?after=`)."""
    after = request.headers.get("last-event-id") or request.query_params.get("after") or None
    thread, run = request.path_params["thread"], request.path_params["run"]
    return Tail(await room_of(request).server.events(thread, run, context_of(request), after))


async def active(request: Request) -> Response:
    """The run of the answer that is being made in a thread, and which of its answers are not whole."""
    found = await room_of(request).server.standing(request.path_params["thread"], context_of(request))
    run = None if found.run is None else _answer_view(found.run)
    return send(StandingView(run, found.last, dict(found.marks)))


async def stop(request: Request) -> Response:
    """Ask an answer to stop. 202: it has been told; the end is an event of the run."""
    thread, run = request.path_params["thread"], request.path_params["run"]
    return send(StopView(_answer_view(await room_of(request).server.stop(thread, run, context_of(request)))), 202)


async def upload(request: Request) -> Response:
    """Take the bytes of an attachment that was announced."""
    owner = context_of(request)["owner"]
    kind = request.headers.get("content-type")
    found = await room_of(request).attachments.receive(request.path_params["id"], owner, kind, request.stream())
    return Response(found.model_dump_json(exclude={"metadata"}, exclude_none=True), media_type="application/json")


async def download(request: Request) -> Response:
    """Give an attachment's bytes to its owner."""
    found = await room_of(request).attachments.download(request.path_params["id"], context_of(request)["owner"])
    return FileFlow(found.reading, found.headers)


async def healthz(request: Request) -> Response:
    """Whether the worker lives. It does, or nobody answers."""
    return JSONResponse({"ok": True})


async def readyz(request: Request) -> Response:
    """Whether requests should be sent here, and why not."""
    checks = await room_of(request).checks()
    ready = all(state == "ok" for state in checks.values())
    headers = {} if ready else {"retry-after": "2"}
    waiting = await room_of(request).waiting()
    told = {"ready": ready, "checks": checks, **({"journal": waiting} if waiting else {})}
    return JSONResponse(told, 200 if ready else 503, headers)


async def metrics(request: Request) -> Response:
    """What is counted, for Prometheus: nobody's data is in it."""
    sight: Sight = request.app.state.sight
    if sight.missing is not None:
        raise sight.missing
    if sight.metrics is None:
        raise NotFoundError("nothing is counted here: set CLEW_METRICS=on, and install clew[metrics]")
    asked = (request.headers.get("accept", ""), request.headers.get("accept-encoding", ""))
    # What stands aside may have been dropped by hand: the journal counts it again where it is asked.
    await room_of(request).waiting()
    # It takes some milliseconds, in which others are answered.
    body, headers = await asyncio.to_thread(sight.metrics.write, *asked)
    return Response(body, headers=headers)


def _answer_view(run: Run) -> AnswerView:
    return AnswerView(run.id, run.state, run.created_at, run.cancel_ms is not None)
