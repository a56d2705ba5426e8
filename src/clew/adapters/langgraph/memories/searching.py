"""Searching: the namespaces below a prefix are read level by level, all of a level in one trip, and looked through here.

The store has no index of what values say: a search reads every item below its prefix.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from langgraph.store.base import ListNamespacesOp

from ....errors import InvalidError
from ....records import Snapshot
from .keeping import Keeping
from .namespaces import ITEMS, LABELS, Namespace, check_conditions, first_of, matches, may_lead
from .nearby import Nearby
from .shelves import Shelves, together
from .stored import ENDS, Found, find_items
from .vectors import Vectors, score, vectors_name
from .writing import LABEL

_OPERATORS: Final = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte")


@dataclass(slots=True)
class Walked:
    """What was read below a prefix.

    Attributes:
        items: every item that is there.
        ends: the document ENDS of each partition of items.
        vectors: the vectors of those items that have any.
    """

    items: list[Found] = field(default_factory=list)
    ends: dict[Namespace, bytes | None] = field(default_factory=dict)
    vectors: dict[tuple[Namespace, str], Vectors] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Meant:
    """A search by meaning: the vector of its query, on its way, and how many items it is to find."""

    query: asyncio.Task[list[float]]
    need: int
    keeping: Keeping
    nearby: Nearby


async def walk(shelves: Shelves, prefix: Namespace, meant: Meant | None = None) -> Walked:
    """Read every item below a prefix, and its vectors where they are wanted: one trip for each level.

    Of a namespace with an index, read those that are near, in two trips.
    """
    found = Walked()
    level = [prefix]
    while level:
        labels = together(shelves.fetch(LABELS, namespace) for namespace in level)
        reading = together(_read(shelves, namespace, found, meant) for namespace in level)
        answers, _ = await asyncio.gather(labels, reading)
        level = [each for namespace, answer in zip(level, answers, strict=True) for each in below(namespace, answer)]
    return found


async def _read(shelves: Shelves, namespace: Namespace, found: Walked, meant: Meant | None) -> None:
    if meant is None:
        _add(found, namespace, await shelves.fetch(ITEMS, namespace), {})
        return
    if meant.nearby.knows(namespace):
        near = await meant.nearby.find(namespace, await meant.query, meant.need)
        if near is not None:
            found.items += near.items
            found.ends[namespace] = near.ends
            found.vectors |= {(namespace, key): vectors for key, vectors in near.vectors.items()}
            return
    items, kept = await asyncio.gather(shelves.fetch(ITEMS, namespace), meant.keeping.fetch(namespace))
    _add(found, namespace, items, kept)


def _add(found: Walked, namespace: Namespace, items: Snapshot, kept: Mapping[str, Vectors]) -> None:
    here = find_items(items, namespace)
    found.items += here
    found.ends[namespace] = items.documents.get(ENDS)
    for item in here if kept else ():
        vectors = kept.get(vectors_name(item.meta.mark, item.ending))
        if vectors is not None:
            found.vectors[namespace, item.key] = vectors


def below(namespace: Namespace, labels: Snapshot) -> list[Namespace]:
    """Return the namespaces one level below, as the labels say."""
    return [(*namespace, label_of(name, data)) for name, data in labels.documents.items()]


def label_of(name: str, data: bytes) -> str:
    """Return the label that a document stands for."""
    return name[len(LABEL) + 1 :] if name.startswith(f"{LABEL}/") else data[8:].decode()


def order(walked: Walked, chosen: Sequence[Found], query: Sequence[float] | None) -> list[tuple[Found, float | None]]:
    """Return the items, best first by their vectors, then those that have none; else, and among these, the newest write first."""
    newest = sorted(chosen, key=lambda item: (-item.meta.updated_us, item.namespace, item.key))
    if query is None:
        return [(item, None) for item in newest]
    fit: list[tuple[Found, Vectors]] = []
    rest: list[tuple[Found, float | None]] = []
    for item in newest:
        kept = walked.vectors.get((item.namespace, item.key))
        if kept is not None and kept.dims == len(query):
            fit.append((item, kept))
        else:
            rest.append((item, None))
    scores = score(query, [kept for _, kept in fit])
    best = sorted(zip(fit, scores, strict=True), key=lambda pair: -pair[1])
    return [*((item, value) for (item, _), value in best), *rest]


def accepts(wanted: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    """Tell whether a value has what a filter asks of each of its fields."""
    return all(_fits(value.get(key), asked) for key, asked in wanted.items())


def check_filter(wanted: Mapping[str, Any] | None) -> None:
    """Raise InvalidError for an operator that nobody knows."""
    if wanted is None:
        return
    if not isinstance(wanted, Mapping):
        raise InvalidError(f"a filter is a dict of fields, not {type(wanted).__name__}")
    for asked in wanted.values():
        if isinstance(asked, Mapping):
            if any(str(name).startswith("$") for name in asked):
                for name in asked:
                    if name not in _OPERATORS:
                        raise InvalidError(f"a filter knows no operator {name!r}: use one of {', '.join(_OPERATORS)}")
            else:
                check_filter(asked)


async def list_namespaces(shelves: Shelves, op: ListNamespacesOp) -> list[Namespace]:
    """Return the namespaces with an item that match, in order: read are all labels below the prefix, and what the page needs."""
    conditions = op.match_conditions or ()
    check_conditions(conditions)
    groups: dict[Namespace, list[Namespace]] = {}
    for namespace in await _names(shelves, op):
        if matches(namespace, conditions):
            groups.setdefault(namespace[: op.max_depth], []).append(namespace)
    names = sorted(groups)
    if op.offset < 0 or op.limit < 0:
        # A slice counts these from the end: so all have to be looked at.
        return (await _living(shelves, names, groups))[op.offset : op.offset + op.limit]
    found: list[Namespace] = []
    at, wanted = 0, op.offset + op.limit
    while len(found) < wanted and at < len(names):
        some = names[at : at + wanted - len(found)]
        at += len(some)
        found += await _living(shelves, some, groups)
    return found[op.offset : wanted]


async def _names(shelves: Shelves, op: ListNamespacesOp) -> list[Namespace]:
    """Return every namespace that labels lead to, and that can have the prefixes that are asked for."""
    conditions = op.match_conditions or ()
    level = [first_of(conditions)]
    found: list[Namespace] = []
    while level:
        found += level
        answers = await together(shelves.fetch(LABELS, namespace) for namespace in level)
        following = [each for namespace, labels in zip(level, answers, strict=True) for each in below(namespace, labels)]
        level = [each for each in following if may_lead(each, conditions)]
    return found


async def _living(shelves: Shelves, names: Sequence[Namespace], groups: Mapping[Namespace, list[Namespace]]) -> list[Namespace]:
    """Return those that have an item, or one of whose group has."""
    living: set[Namespace] = set()
    depth = 0
    while left := [name for name in names if name not in living and depth < len(groups[name])]:
        answers = await together(shelves.fetch(ITEMS, groups[name][depth]) for name in left)
        living |= {name for name, items in zip(left, answers, strict=True) if find_items(items, name)}
        depth += 1
    return [name for name in names if name in living]


def _fits(found: Any, asked: Any) -> bool:
    if isinstance(asked, Mapping):
        if any(str(name).startswith("$") for name in asked):
            return all(_compare(found, name, than) for name, than in asked.items())
        return isinstance(found, Mapping) and all(_fits(found.get(key), each) for key, each in asked.items())
    if isinstance(asked, list | tuple):
        return (
            isinstance(found, list)
            and len(found) == len(asked)
            and all(_fits(one, other) for one, other in zip(found, asked, strict=True))
        )
    return bool(found == asked)


def _compare(found: Any, operator: str, than: Any) -> bool:
    if operator == "$eq":
        return bool(found == than)
    if operator == "$ne":
        return bool(found != than)
    try:
        one, other = float(found), float(than)
    except (TypeError, ValueError, OverflowError):
        return False  # what is no number is neither more nor less
    if operator == "$gt":
        return one > other
    if operator == "$gte":
        return one >= other
    return one < other if operator == "$lt" else one <= other
