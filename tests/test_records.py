"""What an item is asked for beside its fields."""

from __future__ import annotations

import pytest

from clew.codec import decode_entry, encode_entry, make_entry
from clew.errors import UnreadableError


def test_the_json_of_an_item_is_what_was_put_in() -> None:
    assert make_entry("a", b'{"n": [1, 2.5, null], "text": "\xc3\xb8"}').json() == {"n": [1, 2.5, None], "text": "ø"}


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"{'a': 1}"])
def test_the_json_of_other_bytes_is_an_error_that_does_not_show_them(data: bytes) -> None:
    with pytest.raises(UnreadableError, match="no JSON") as caught:
        make_entry("a", data, codec="other/1").json()
    assert "'a': 1" not in str(caught.value)


def test_the_json_of_a_record_that_cannot_be_read_is_an_error_that_says_why() -> None:
    entry = decode_entry(encode_entry(make_entry("a", b"1"))[:-1], 7)
    assert entry is not None
    with pytest.raises(UnreadableError, match="position 7"):
        entry.json()
