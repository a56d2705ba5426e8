"""The OpenAPI document of the service, made from its operations: what is served is what is described."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from .. import __version__
from .operations import JSON_TYPE, Endpoint, Operation, send
from .problems import BASE, KINDS, MEDIA_TYPE
from .wire import Problem

REF: Final = "#/components/schemas/{name}"
OF_ALL: Final = ("invalid", "unauthorized", "rate", "slow", "unavailable", "busy", "unexpected", "unsupported")
OF_DELETES: Final = ("full", "degraded")
OF_WRITES: Final = ("too-large", "media-type", *OF_DELETES)
BY_METHOD: Final = {"POST": OF_WRITES, "PUT": OF_WRITES, "PATCH": OF_WRITES, "DELETE": OF_DELETES}


def describe(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the document of some operations."""
    shapes = [shape for each in operations for shape in (each.body, each.answer) if shape is not None and shape is not dict]
    schemas, parts = msgspec.json.schema_components([Problem, *shapes], ref_template=REF)
    schema_of = dict(zip(["Problem", *map(id, shapes)], schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "clew", "version": __version__, "description": "Durable conversations of AI agents."},
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": parts,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "A JWT, or an API key of clew."}},
        },
    }


def serve(operations: Sequence[Operation]) -> Endpoint:
    """Return the endpoint that gives the document."""
    document = msgspec.json.encode(describe(operations))

    async def openapi(request: Request) -> Response:
        return send(msgspec.Raw(document))

    return openapi


def _operation(operation: Operation, schema_of: dict[Any, Any]) -> dict[str, Any]:
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    given = {each.name for each in operation.parameters if each.place == "path"}
    parameters = [_path_parameter(name) for name in names if name not in given] + [
        {"name": each.name, "in": each.place, "description": each.text, "required": each.required, "schema": each.schema}
        for each in operation.parameters
    ]
    doc = (operation.endpoint.__doc__ or operation.summary).strip()
    found: dict[str, Any] = {
        "operationId": f"{operation.tag}_{operation.name or operation.endpoint.__name__.rstrip('_')}",
        "summary": operation.summary,
        "description": doc,
        "tags": [operation.tag],
        "parameters": parameters,
        "responses": {str(operation.status): _answer(operation, schema_of), **_problems(operation, schema_of["Problem"])},
    }
    for status, text in operation.also:
        found["responses"][str(status)] = {"description": text}
    if operation.method in ("GET", "HEAD") and any(each.name == "If-None-Match" for each in operation.parameters):
        found["responses"]["304"] = {"description": "The caller has it already."}
    if operation.body is not None:
        found["requestBody"] = {"required": True, "content": {JSON_TYPE: {"schema": schema_of[id(operation.body)]}}}
    elif operation.takes is not None:
        found["requestBody"] = {"required": True, "content": {operation.takes: {}}}
    return found


def _path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": 512}
    return {"name": name, "in": "path", "description": f"The {name}'s id.", "required": True, "schema": schema}


def _answer(operation: Operation, schema_of: dict[Any, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": operation.summary + "."}
    if operation.raw is not None:
        answer["content"] = {operation.raw: {}}
    elif operation.answer is not None:
        schema = {"type": "object"} if operation.answer is dict else schema_of[id(operation.answer)]
        answer["content"] = {JSON_TYPE: {"schema": schema}}
        if operation.streams:
            answer["content"]["text/event-stream"] = {}
    if operation.headers:
        answer["headers"] = {name: {"schema": {"type": "string"}} for name in operation.headers}
    return answer


def _problems(operation: Operation, schema: dict[str, Any]) -> dict[str, Any]:
    names = [*operation.problems, *OF_ALL, *BY_METHOD.get(operation.method, ())]
    if any(each.name == "Idempotency-Key" for each in operation.parameters):
        names.append("key-reused")
    by_status: dict[int, list[str]] = {}
    for name in names:
        by_status.setdefault(KINDS[name].status, []).append(name)
    return {
        str(status): {
            "description": "; ".join(f"{BASE}{name}: {KINDS[name].title}" for name in dict.fromkeys(found)) + ".",
            "content": {MEDIA_TYPE: {"schema": schema}},
            **({"headers": {"Retry-After": {"schema": {"type": "integer"}}}} if status in (429, 503) else {}),
        }
        for status, found in sorted(by_status.items())
    }
