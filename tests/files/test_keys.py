"""Keys: whatever a part holds, it stays in its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew import InvalidError
from clew.files import Files, Key, fit, volume_key
from clew.files.keys import MAX_KEY_BYTES, MAX_PART_BYTES, MAX_PARTS, check_key, read_path
from clew.files.tree import name_of, part_of

STRANGE = [
    "..", ".", "...", ".hidden", "a.", ". .", "a/b", "../..", "/", "\\", "..\\..", "C:", "~", "*", "?", "a%2Fb", "%",
    "%2e%2e", "%00", "\0", "\n", " ", "a b", "+", "\u00e9", "e\u0301", "\u202e", "\U0001f9f6", "nul", "COM1.txt",
    "aux.", "-rf", ".clew", "#1", "x#1", "&", "=",
]  # fmt: skip


@pytest.mark.parametrize("part", STRANGE, ids=ascii)
def test_a_strange_part_is_one_plain_part_of_a_path_and_comes_back(part: str) -> None:
    path = check_key(("a", part, "b"))
    assert path.count("/") == 2
    assert path.isascii()
    assert path.isprintable()
    middle = path.split("/")[1]
    assert not middle.startswith(".")
    assert not middle.endswith(".")
    assert read_path(path) == ("a", part, "b")


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4).map(tuple))
def test_a_key_that_is_taken_comes_back(key: Key) -> None:
    try:
        path = check_key(key)
    except InvalidError:
        assert any("\ud800" <= char <= "\udfff" or ord(char) > 127 for part in key for char in part)
        return
    assert read_path(path) == key


@pytest.mark.parametrize(
    "path", ["", "a/", "/a", "a//b", "..", "a/../b", "a/.b", "%2e", "a%2fb", "%zz", "%C3", "caf\u00e9", "a b", "a+b"]
)
def test_a_path_that_no_key_has_leads_to_none(path: str) -> None:
    assert read_path(path) is None


@pytest.mark.parametrize(
    "key",
    [
        (),
        ("",),
        ("a", ""),
        ("\ud800",),
        ("x" * (MAX_PART_BYTES + 1),),
        ("\u00e9" * 34,),
        ("a",) * (MAX_PARTS + 1),
        ("x" * 180,) * 5,
        ("a", 7),
    ],
    ids=lambda key: ascii(key)[:30],
)
def test_a_key_that_is_none_is_refused(key: Key) -> None:
    with pytest.raises(InvalidError):
        check_key(key)


@pytest.mark.parametrize("key", ["a/b", ["a"], None, b"a"], ids=repr)
def test_a_key_is_a_tuple(key: object) -> None:
    with pytest.raises(InvalidError, match="tuple"):
        check_key(key)  # type: ignore[arg-type]  # that is the test


async def test_the_longest_key_is_taken_by_every_store(files: Files) -> None:
    longest = ("x" * MAX_PART_BYTES,) * (MAX_KEY_BYTES // (MAX_PART_BYTES + 1))
    await files.put(longest, b"x")
    assert [info.key for info in await files.list(longest[:-1])] == [longest]


async def test_strange_parts_are_files_of_their_own_everywhere(files: Files) -> None:
    for n, part in enumerate(STRANGE):
        await files.put(("owners", part, part), b"%d" % n)
    found = [info.key for info in await files.list()]
    assert sorted(found) == sorted(("owners", part, part) for part in STRANGE)
    for n, part in enumerate(STRANGE):
        assert [info.key[1] for info in await files.list(("owners", part))] == [part]
        async with await files.get(("owners", part, part)) as reading:
            assert await reading.read() == b"%d" % n
    for part in STRANGE:
        assert await files.delete_all(("owners", part)) == 1


def test_a_name_that_fits_is_itself_and_a_longer_one_its_digest() -> None:
    assert fit("ada") == "ada"
    long = fit("x" * 10_000)
    assert long.startswith("sha256:")
    assert check_key((long,))
    assert fit("x" * 9_999) != long
    # Nobody takes another's place by the name of the digest.
    assert fit(long) != long
    assert fit("\u00e9" * 34).startswith("sha256:")
    with pytest.raises(InvalidError):
        fit("")


def test_a_volume_has_the_layout_that_others_read() -> None:
    assert check_key(volume_key("system", "system", "skills", "search.md")) == "volumes/system/system/skills/search.md"
    assert check_key(volume_key("user", "ada", "skills", "search.md")) == "volumes/user/ada/skills/search.md"
    assert check_key(volume_key("team", "../user/ada", "skills")) == "volumes/team/%2E.%2Fuser%2Fada/skills"
    for kind, holder in (("users", "ada"), ("..", "x"), ("system", "ada"), ("user", "")):
        with pytest.raises(InvalidError):
            volume_key(kind, holder)


PARTS = [
    "ada",
    "Ada",
    "ADA",
    "README.md",
    "%2F",
    "%2Fa",
    "%2541",
    "con",
    "CON",
    "con.md",
    "nul",
    "lpt1.x",
    "console",
    "Z%C3%89",
    "com0",
    "c",
    "C",
]


@pytest.mark.parametrize("part", PARTS)
def test_where_capitals_are_no_names_of_their_own_each_part_still_has_one(part: str) -> None:
    name = name_of(part, folded=True)
    assert part_of(name, folded=True) == part
    assert name_of(part, folded=False) == part == part_of(part, folded=False)


def test_no_two_parts_have_one_name_where_capitals_do_not_count() -> None:
    names = [name_of(part, folded=True).lower() for part in set(PARTS)]
    assert len(names) == len(set(names))
    devices = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
    assert not devices & {name.partition(".")[0] for name in names}


@given(st.text(min_size=1, max_size=30))
def test_any_part_comes_back_from_such_a_name(part: str) -> None:
    try:
        path = check_key((part,))
    except InvalidError:
        return
    assert part_of(name_of(path, folded=True), folded=True) == path
