"""The OpenAPI document says what is served, and what is served is as it says."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from starlette.routing import Route

from clew import Ref, Store
from clew.service.application import OPERATIONS
from clew.service.problems import KINDS

from .conftest import JSON, THREADS, Api, make_thread

DOCS = Path(__file__).resolve().parents[3] / "docs/api.md"


def test_the_table_of_addresses_in_the_docs_is_what_is_served() -> None:
    shown = re.findall(r"^\| `([A-Z]+) (\S+)` \|.*\| (\d+) \|$", DOCS.read_text(), re.MULTILINE)
    of_threads = [each for each in OPERATIONS if each.path.startswith(THREADS)]
    assert sorted(shown) == sorted((each.method, each.path, str(each.status)) for each in of_threads)


def test_the_table_of_problems_in_the_docs_is_what_is_told() -> None:
    shown = re.findall(r"^\| `/problems/(\S+)` \| (\d+) \|", DOCS.read_text(), re.MULTILINE)
    assert {name: int(status) for name, status in shown} == {kind.name: kind.status for kind in KINDS.values()}


async def test_every_address_of_the_api_is_in_the_document(lone: Api) -> None:
    paths = (await lone.nobody.get("/openapi.json")).json()["paths"]
    served = [route for route in lone.app.routes if isinstance(route, Route) and route.path.startswith(THREADS)]
    assert {route.path for route in served} <= set(paths)
    for route in served:
        assert {method.lower() for method in route.methods or ()} - {"head"} == set(paths[route.path])


async def test_what_is_answered_is_of_the_shape_that_the_document_gives(lone: Api) -> None:
    document = (await lone.nobody.get("/openapi.json")).json()
    mine = await make_thread(lone.ada, title="Trip", metadata={"a": 1}, items=[{"id": "a", "data": 1}, {"data_base64": "AA=="}])
    store: Store = lone.app.state.room.store
    producer = await store.runs.start(Ref("ada", mine))
    asks = [
        ("get", "/api/v1/threads", THREADS),
        ("get", "/api/v1/threads/{thread}", f"{THREADS}/{mine}"),
        ("get", "/api/v1/threads/{thread}/items", f"{THREADS}/{mine}/items"),
        ("get", "/api/v1/threads/{thread}/items/{item}", f"{THREADS}/{mine}/items/a"),
        ("get", "/api/v1/threads/{thread}/runs", f"{THREADS}/{mine}/runs"),
        ("get", "/api/v1/threads/{thread}/runs/active", f"{THREADS}/{mine}/runs/active"),
        ("post", "/api/v1/threads/{thread}/runs/{run}/stop", f"{THREADS}/{mine}/runs/{producer.run.id}/stop"),
        ("get", "/api/v1/threads/{thread}", f"{THREADS}/nobody"),
        ("get", "/api/v1/threads", f"{THREADS}?limit=0"),
    ]
    async with producer:
        for method, path, address in asks:
            reply = await lone.ada.request(method.upper(), address)
            answer = document["paths"][path][method]["responses"][str(reply.status_code)]
            schema = answer["content"][reply.headers["content-type"]]["schema"]
            assert schema != {"type": "object"}, path
            check(document, schema, reply.json())


def check(document: JSON, schema: JSON, value: JSON) -> None:
    """Fail unless a value is of a shape of the document."""
    whole = {**schema, "components": document["components"]}
    assert [error.message for error in import_module("jsonschema").Draft202012Validator(whole).iter_errors(value)] == []
