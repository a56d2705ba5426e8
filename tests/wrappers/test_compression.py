"""Compression: what is large becomes smaller, everything comes back, and nothing comes back larger than allowed."""

from __future__ import annotations

from typing import cast

import pytest
import zstandard
from msgspec.structs import replace

from clew.backend import Backend
from clew.codec import make_entry
from clew.errors import InvalidError, UnreadableError
from clew.frames import SEALED, SQUEEZED
from clew.limits import MAX_DATA_BYTES
from clew.records import Append, Partition, PutDocument, Replace
from clew.testing import WholeBackend

from .support import around, key

HERE = Partition("ada", "here")
LONG = b'{"text":"' + b"the same words again " * 100 + b'"}'


async def data_of(backend: Backend) -> list[bytes]:
    """Return the data of the items."""
    return [each.data for each in (await backend.read(HERE, "items")).entries]


async def test_only_what_becomes_smaller_is_compressed(raw: Backend) -> None:
    squeezed = around(raw, above=100)
    given = [LONG, b"short " * 10, bytes(range(256)), b""]
    await squeezed.commit(HERE, [Append("items", make_entry(f"i{n}", data)) for n, data in enumerate(given)])
    await squeezed.commit(HERE, [PutDocument(f"d{n}", data) for n, data in enumerate(given)])
    stored = await data_of(raw)
    assert stored[0].startswith(SQUEEZED)
    assert len(stored[0]) < len(LONG) / 10
    assert stored[1:] == given[1:]
    assert await data_of(squeezed) == given
    assert list((await squeezed.fetch(HERE)).documents.values()) == given


@pytest.mark.parametrize("data", [SQUEEZED, SQUEEZED + b"\1" + LONG, SQUEEZED + b"\0", SEALED + LONG])
async def test_what_looks_like_a_frame_comes_back_as_it_was(raw: Backend, data: bytes) -> None:
    for backend in (around(raw, above=1), around(raw, key("new"), above=1)):
        await backend.commit(HERE, [Append("items", make_entry("i1", data)), PutDocument("d", data)])
        assert await data_of(backend) == [data]
        assert (await backend.fetch(HERE)).documents == {"d": data}
        await backend.drop(HERE, tombstone_ms=0)


def _bombs() -> dict[str, bytes]:
    large = zstandard.ZstdCompressor().compress(bytes(MAX_DATA_BYTES + 1))
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(MAX_DATA_BYTES + 1))
    small = zstandard.ZstdCompressor().compress(b"x" * 1000)
    # Its head says less than there is.
    lying = (
        zstandard.ZstdCompressor().compress(bytes(70_000)).replace((70_000).to_bytes(4, "little"), (65_900).to_bytes(4, "little"))
    )
    return {
        "large": large,
        "unsized": unsized,
        "cut": small[:-3],
        "more": small + small,
        "lying": lying,
        "none": b"",
        "text": LONG,
    }


@pytest.mark.parametrize("name", _bombs())
async def test_a_bomb_is_refused_and_does_not_hide_its_neighbours(raw: Backend, name: str) -> None:
    squeezed = around(raw, above=100)
    await squeezed.commit(HERE, [Append("items", make_entry(id, LONG)) for id in ("i1", "i2", "i3")])
    bomb = SQUEEZED + b"\1" + _bombs()[name]
    await raw.commit(HERE, [Replace("items", make_entry("i2", bomb)), PutDocument("d", bomb)])
    entries = (await squeezed.read(HERE, "items")).entries
    assert [bool(each.unreadable) for each in entries] == [False, True, False]
    assert [entries[0].data, entries[2].data] == [LONG, LONG]
    with pytest.raises(UnreadableError, match=r"refused|damaged"):
        (await squeezed.fetch(HERE)).documents["d"]


async def test_it_is_turned_on_and_off_while_there_is_data(raw: Backend) -> None:
    squeezed = around(raw, above=100)
    await raw.commit(HERE, [Append("items", make_entry("i1", LONG)), PutDocument("d", LONG)])
    [found] = (await squeezed.read(HERE, "items")).entries
    await squeezed.commit(HERE, [Replace("items", replace(found, data=LONG + b" "), found), PutDocument("d", LONG + b" ", LONG)])
    await around(raw, above=MAX_DATA_BYTES).commit(HERE, [PutDocument("d", LONG, LONG + b" ")])
    assert await data_of(squeezed) == [LONG + b" "]
    assert (await raw.fetch(HERE)).documents == {"d": LONG}
    with pytest.raises(UnreadableError, match="set CLEW_COMPRESS"):
        (await raw.read(HERE, "items")).entries[0].json()


async def test_literal_values_stay_as_they_are(raw: Backend) -> None:
    plain, coded = cast(WholeBackend, raw), cast(WholeBackend, around(raw, key("new"), above=1))
    await coded.put_value("k", LONG)
    assert await plain.get_value("k") == LONG


async def test_the_largest_fits_and_a_larger_one_does_not(raw: Backend) -> None:
    coded = around(raw, key("new"), above=1)
    await coded.commit(HERE, [PutDocument("d", bytes(MAX_DATA_BYTES))])
    assert len((await coded.fetch(HERE)).documents["d"]) == MAX_DATA_BYTES
    with pytest.raises(InvalidError, match="at most"):
        await coded.commit(HERE, [PutDocument("d", bytes(MAX_DATA_BYTES + 1))])
