"""The HTTP API asked at random, as its OpenAPI document says and as it does not: no fault, no surprise, nothing of others."""

from __future__ import annotations

import asyncio
import copy
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Err
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .conftest import JSON, THREADS, Api, Serve
from .signing import sign

SEED: Final = 20261121
EXAMPLES: Final = {GenerationMode.POSITIVE: 5, GenerationMode.NEGATIVE: 2}
"""How often each operation is asked with what the document allows, and with what it does not."""
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SECRET: Final = "what only Eve may read"
Names = list[dict[str, str]]


async def make_both(ada: Any, eve: Any) -> Names:
    """Make what Ada and Eve have, and return what stands in addresses mostly: what is made up is hardly ever there."""
    names: Names = [{}]
    for client, whose, team, text in ((ada, "mine", "red", "hello"), (eve, "eves", "blue", SECRET)):
        body = {"id": whose, "title": text, "metadata": {"a": text}, "items": [{"id": f"{whose}-1", "data": text}]}
        assert (await client.post(THREADS, json=body)).status_code == 201
        for volume in ("user", "team"):
            made = (await client.post("/api/sessions", json={"name": text, "volume": volume, "initial_message": text})).json()
            messages = (await client.get(f"/api/sessions/{made['id']}/messages")).json()["data"]
            names.append({"thread": whose, "item": f"{whose}-1", "path": f"{whose}.txt", "team": team})
            names[-1] |= {"session": made["id"], "message": messages[0]["id"]}
        for place in ("user", f"team/{team}"):
            assert (await client.put(f"/api/files/{place}/{whose}.txt", content=text.encode())).is_success
        said = {"message": "words 1 0", "channel": "c", "conversation_id": whose, "user_id": whose}
        assert (await client.post("/api/v1/chat", json=said)).is_success
    return names


async def all_of(eve: Any) -> list[str]:
    """Return what Eve sees of hers."""
    paths = [f"{THREADS}/eves", f"{THREADS}/eves/items", "/api/sessions", "/api/sessions?volume=team", "/api/files/user/eves.txt"]
    found = [(await eve.get(path)).text for path in [*paths, "/api/files/team/blue/eves.txt"]]
    assert all(SECRET in text for text in found)
    return found


class Asker:
    """Asks as one caller; what is not as the document says, or holds the secret, is raised."""

    def __init__(self, base: str, token: str, names: Names) -> None:
        self._base = base
        self._names = names
        self._session = requests.Session()
        self._session.headers["authorization"] = f"Bearer {token}"
        self.statuses: dict[str, set[int]] = {}

    def ask_all(self, document: JSON) -> None:
        """Ask each operation of a document, those that delete last."""
        with self._session:
            schema = schemathesis.openapi.from_dict(document)
            operations: list[Any] = [found.ok() for found in schema.get_all_operations() if not isinstance(found, Err)]
            assert len(operations) == sum(len(methods) for methods in document["paths"].values())
            for operation in sorted(operations, key=lambda each: each.method.upper() == "DELETE"):
                for mode, examples in EXAMPLES.items():
                    self._ask(operation, mode, examples)

    def _ask(self, operation: Any, mode: GenerationMode, examples: int) -> None:
        parts = [each.name for each in operation.path_parameters]

        @seed(SEED)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), names=st.sampled_from(self._names))
        def run(case: schemathesis.Case[Any], names: dict[str, str]) -> None:
            case.path_parameters.update({name: value for name, value in names.items() if name in parts})
            response = case.call(base_url=self._base, session=self._session, timeout=20)
            self.statuses.setdefault(operation.label, set()).add(response.status_code)
            assert SECRET not in f"{response.text}{response.headers}", f"{operation.label} tells what is Eve's"
            case.validate_response(response, checks=CHECKS)

        run()


@pytest.mark.timeout(180)
async def test_whatever_is_asked_the_answer_is_as_the_document_says_and_holds_nothing_of_eves(serve: Serve) -> None:
    api: Api = await serve(CLEW_RATE="0")
    token = sign("ada", teams=["red"])
    async with api.client(token) as ada, api.client(sign("eve", teams=["blue"])) as eve:
        names = await make_both(ada, eve)
        before = await all_of(eve)
        document = (await api.nobody.get("/openapi.json")).json()
        asker = Asker(api.base, token, names)
        await asyncio.to_thread(asker.ask_all, document)
        assert await all_of(eve) == before
    # It reached what is there: most operations have done something for Ada.
    done = {label for label, statuses in asker.statuses.items() if min(statuses) < 300}
    assert len(done) > len(asker.statuses) / 2
    # And it is heard where the document is wrong.
    wrong = copy.deepcopy(document)
    wrong["paths"] = {THREADS + "/{thread}": {"get": wrong["paths"][THREADS + "/{thread}"]["get"]}}
    del wrong["paths"][THREADS + "/{thread}"]["get"]["responses"]["404"]
    with pytest.raises(FailureGroup, match="404"):
        await asyncio.to_thread(Asker(api.base, token, names).ask_all, wrong)
