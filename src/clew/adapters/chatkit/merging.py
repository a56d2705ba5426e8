"""Keep what the SDK does not know: a value changed through the SDK's eyes, put back into the JSON it was read from.

Three forms of one thing: `raw` as it is stored, `view` as the SDK understood it, `new` as the SDK would write it now. What `new`
did not change stays as it is in `raw`, to the last unknown property.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

JSON = Any
"""A JSON value; its shape is what the functions look at."""


def merge(raw: JSON, view: JSON, new: JSON) -> JSON:
    """Return `new`, with what `raw` has and `view` lacks."""
    if is_same(new, view):
        return raw
    if isinstance(raw, dict) and isinstance(view, dict) and isinstance(new, dict) and _are_alike(view, new):
        return _merge_objects(raw, view, new)
    if isinstance(raw, list) and isinstance(view, list) and isinstance(new, list) and len(raw) == len(view):
        return _merge_lists(raw, view, new)
    return new


def is_same(one: JSON, other: JSON) -> bool:
    """Tell whether two values are the same JSON, where Python takes 1, 1.0 and True for equal."""
    return bool(one == other) and msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")


def _merge_objects(raw: Mapping[str, JSON], view: Mapping[str, JSON], new: Mapping[str, JSON]) -> JSON:
    merged = {key: value for key, value in raw.items() if key not in view and key not in new}
    for key, value in new.items():
        if key not in view:
            merged[key] = value
        elif key in raw:
            merged[key] = merge(raw[key], view[key], value)
        elif not is_same(value, view[key]):
            merged[key] = value
        # Else it is a default, which the stored form does without.
    return merged


def _merge_lists(raw: Sequence[JSON], view: Sequence[JSON], new: Sequence[JSON]) -> JSON:
    """Elements are matched by their place where none went, else by what they are."""
    merged = []
    for index, value in enumerate(new):
        if len(new) >= len(view) and index < len(view):
            merged.append(merge(raw[index], view[index], value))
        else:
            merged.append(next((old for old, seen in zip(raw, view, strict=True) if is_same(seen, value)), value))
    return merged


def _are_alike(view: Mapping[str, JSON], new: Mapping[str, JSON]) -> bool:
    """Tell whether both are forms of one thing: of the same type and id, where they have these."""
    return all(view.get(key) == new.get(key) for key in ("type", "id"))
