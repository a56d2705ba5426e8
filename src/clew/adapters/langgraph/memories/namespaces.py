"""Where a namespace of LangGraph lives: which partitions it has, which documents its items and labels are, and what matches it.

Labels have no '.', so that joined with it no two namespaces meet. A name too long for the store becomes a digest, and the text it
stands for is kept beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, TypeAlias

from langgraph.store.base import MatchCondition

from ....errors import InvalidError
from ....limits import MAX_ID_BYTES

Namespace: TypeAlias = tuple[str, ...]

ITEMS: Final = "langgraph-store/items"
"""The partition of a namespace's items."""
LABELS: Final = "langgraph-store/labels"
"""The partition of the labels one level below it."""
VECTORS: Final = "langgraph-store/vectors"
"""The partition of its items' vectors."""
RESERVED: Final = 32
"""Bytes that may come before the end of the name of an item's document."""


def partition_name(kind: str, namespace: Namespace) -> str:
    """Return the name of one of a namespace's partitions: `kind`, and its labels, or a digest of them where they are too long."""
    return document_key(kind, ".".join(namespace))


def document_key(kind: str, text: str) -> str:
    """Return `kind/text`, or `kind#digest` where that is too long for a name; InvalidError for what is no valid Unicode."""
    return kind + _ending(text, MAX_ID_BYTES - len(kind))


def ending_of(key: str) -> str:
    """Return what the names of all documents of an item end in: `/key`, or `#digest`; InvalidError for what can be no key."""
    return _ending(key, MAX_ID_BYTES - RESERVED)


def _ending(text: str, most: int) -> str:
    if not isinstance(text, str):
        raise InvalidError(f"a key must be a string, not {type(text).__name__}")
    try:
        encoded = text.encode()
    except UnicodeEncodeError as e:
        raise InvalidError("a key or label holds a lone surrogate, which is not valid Unicode") from e
    return f"/{text}" if len(encoded) < most else f"#{blake2b(encoded, digest_size=32).hexdigest()}"


def matches(namespace: Namespace, conditions: Sequence[MatchCondition]) -> bool:
    """Tell whether a namespace has every prefix and suffix that is asked for; '*' stands for one label, whatever it is."""
    return all(_has(namespace, condition) for condition in conditions)


def may_lead(namespace: Namespace, conditions: Sequence[MatchCondition]) -> bool:
    """Tell whether a namespace, or one below it, can have every prefix that is asked for."""
    return all(_agree(namespace, each.path) for each in conditions if each.match_type == "prefix")


def first_of(conditions: Sequence[MatchCondition]) -> Namespace:
    """Return the deepest namespace that holds all that can match: the labels that the prefixes say, up to the first '*'."""
    found: list[str] = []
    paths = [each.path for each in conditions if each.match_type == "prefix"]
    for depth in range(max(map(len, paths), default=0)):
        said = [path[depth] for path in paths if len(path) > depth and path[depth] != "*"]
        if not said:
            break
        found.append(said[0])
    return tuple(found)


def check_conditions(conditions: Sequence[MatchCondition]) -> None:
    """Raise InvalidError for a condition that is neither a prefix nor a suffix."""
    for each in conditions:
        if each.match_type not in ("prefix", "suffix"):
            raise InvalidError(f"a namespace is matched by 'prefix' or 'suffix', not {each.match_type!r}")


def _has(namespace: Namespace, condition: MatchCondition) -> bool:
    path = condition.path
    if len(namespace) < len(path):
        return False
    return _agree(namespace, path) if condition.match_type == "prefix" else _agree(namespace[::-1], path[::-1])


def _agree(labels: Sequence[str], path: Sequence[str]) -> bool:
    return all(said in ("*", label) for label, said in zip(labels, path, strict=False))
