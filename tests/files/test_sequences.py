"""Any sequence of calls does on a store of files what it does on a dictionary."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from clew import AlreadyExistsError, ConflictError, NotFoundError
from clew.files import Files, Key, connect_files

# No key is the beginning of another: a folder on disk cannot hold both.
KEYS: list[Key] = [("a", "x"), ("a", "y"), ("a", "..", "x"), ("a-", "x"), ("b",), ("A", "x")]
PREFIXES: list[Key] = [(), ("a",), ("a", ".."), ("b",), ("none",)]
CALLS = st.one_of(
    st.tuples(st.sampled_from(["put", "create", "match", "stale"]), st.sampled_from(KEYS), st.binary(max_size=5)),
    st.tuples(st.sampled_from(["get", "delete"]), st.sampled_from(KEYS), st.just(b"")),
    st.tuples(st.sampled_from(["list", "delete_all"]), st.sampled_from(PREFIXES), st.just(b"")),
)


async def play(files: Files, calls: list[tuple[str, Key, bytes]]) -> None:
    """Make the calls on the store and on a dictionary, and compare."""
    held: dict[Key, bytes] = {}
    etags: dict[Key, list[str]] = {key: ['"never"'] for key in KEYS}
    for verb, key, data in calls:
        if verb in ("put", "create", "match", "stale"):
            seen = etags[key]
            etag = {"match": seen[-1], "stale": seen[-2] if len(seen) > 1 else seen[0]}.get(verb)
            allowed = {"put": True, "create": key not in held, "match": key in held, "stale": False}[verb]
            try:
                written = await files.put(key, data, if_match=etag, create=verb == "create")
            except AlreadyExistsError:
                assert verb == "create"
                assert not allowed
            except ConflictError:
                assert verb in ("match", "stale")
                assert not allowed
            else:
                assert allowed
                assert written.etag not in seen
                seen.append(written.etag)
                held[key] = data
        elif verb == "get":
            try:
                async with await files.get(key) as reading:
                    assert await reading.read() == held[key]
                    assert reading.info.etag == etags[key][-1]
            except NotFoundError:
                assert key not in held
        elif verb == "delete":
            assert await files.delete(key) == (held.pop(key, None) is not None)
        else:
            below = {each for each in held if each[: len(key)] == key and len(each) > len(key)}
            if verb == "list":
                assert {info.key: info.size for info in await files.list(key)} == {each: len(held[each]) for each in below}
            elif key:
                assert await files.delete_all(key) == len(below)
                held = {each: data for each, data in held.items() if each not in below}


@settings(max_examples=60, deadline=None)
@given(st.lists(CALLS, max_size=30))
def test_any_sequence_of_calls_on_files_in_memory(calls: list[tuple[str, Key, bytes]]) -> None:
    async def main() -> None:
        async with connect_files("memory://") as files:
            await play(files, calls)

    asyncio.run(main())


@settings(max_examples=40, deadline=None)
@given(st.lists(CALLS, max_size=30))
def test_any_sequence_of_calls_on_files_in_a_folder(calls: list[tuple[str, Key, bytes]]) -> None:
    async def main(folder: str) -> None:
        async with connect_files(Path(folder, "files").as_uri()) as files:
            await play(files, calls)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(folder))
