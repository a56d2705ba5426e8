"""A page of a thread that does not exist: an error, or an empty page in one call where the caller says that it may be missing."""

from __future__ import annotations

import pytest

import clew
from clew import NewItem, Ref
from clew.errors import GoneError, NotFoundError


async def test_a_missing_thread_may_be_read_as_empty_where_the_caller_says_so() -> None:
    async with clew.connect("memory://") as store:
        missing = Ref("ada", "never was")
        with pytest.raises(NotFoundError):
            await store.items.page(missing)
        page = await store.items.page(missing, missing_ok=True)
        assert (page.data, page.has_more, page.cursor) == ([], False, None)


async def test_a_deleted_thread_is_gone_all_the_same() -> None:
    async with clew.connect("memory://") as store:
        thread = await store.threads.create("ada")
        await store.items.append(thread, NewItem(b"{}"))
        await store.threads.delete(thread)
        with pytest.raises(GoneError):
            await store.items.page(thread, missing_ok=True)
