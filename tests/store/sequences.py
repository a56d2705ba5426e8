"""Random sequences of the store's verbs, and what plays one of them on a store and on the reference, step by step."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple, cast

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import clew
from clew import Ref
from clew.backend import Backend
from clew.errors import ClewError, ConflictError, NotFoundError
from clew.ids import new_id
from clew.model import Resolved
from clew.records import ANY, Entry
from clew.schemes import open_backend
from clew.testing import WholeBackend

from .reference import Head, Leaf, Reference, Said, Wrote

OWNERS: Final = ("ada", "b:{ž}/%2F")
NAMES: Final = ("t", "a:b/{c}😀")
IDS: Final = ("i1", "i2", "i3", "i4", "a:b", "{x}", "žluť-😀", "0123456789abcdef0123456789abcdef", "exactly-16-bytes")
TOKENS: Final = ("once", "o:{n}ž")
LARGE: Final = 70
"""The items of a large batch."""
SIZES: Final = (1, 3, 7, 64, 1000)
"""The limits that the whole state is read with."""


class Step(NamedTuple):
    """One call: a verb, as `items.append`, and its arguments."""

    verb: str
    arguments: dict[str, Any]  # each verb has its own


class Large(NamedTuple):
    """A large batch, in a few words: its items are `n<first>` and so on, or have no ids."""

    first: int
    is_given: bool

    def make(self) -> list[clew.NewItem]:
        """Return its items."""
        numbers = range(self.first, self.first + LARGE)
        return [clew.NewItem(b"%d" % n, f"n{n}" if self.is_given else None, created_ms=n) for n in numbers]


class Disagreement(AssertionError):
    """The store did something else than the reference."""


# -- what is drawn ------------------------------------------------------------------------------------------------------


def _step(verb: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.fixed_dictionaries(arguments).map(lambda drawn: Step(verb, drawn))


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


threads: Final = st.builds(Ref, st.sampled_from(OWNERS), st.sampled_from(NAMES))
ids: Final = st.sampled_from(IDS)
positions: Final = st.sampled_from((0, 1, 2, 3, 5, 8, 40, 71, 100))
cursors: Final = ids | positions
titles: Final = st.sampled_from((None, "A trip", "Žluť {😀}:", ""))
json: Final = st.sampled_from((1, "ž", [1, None], {"a": {"b": []}}, False))
metadata: Final = st.dictionaries(st.sampled_from(("a", "a:b", "ž/{}")), _maybe(json), max_size=3)
revisions: Final = st.sampled_from((None, None, None, "now", "now", 0, 1, 9999))
retries: Final = st.sampled_from((None, None, "now", 0))
payloads: Final = st.sampled_from((b"", b"{}", b"1", bytes(range(256))))
words: Final = _maybe(st.sampled_from(("a", "ž:{}")))
statuses: Final = st.sampled_from((None, "pending", "done"))


def _items(id: st.SearchStrategy[str | None]) -> st.SearchStrategy[clew.NewItem]:
    return st.builds(
        clew.NewItem,
        payloads,
        id,
        kind=st.sampled_from(("message", "tool_call")),
        codec=st.sampled_from(("json", "x/1")),
        author=words,
        parent=words,
        status=statuses,
        links=st.lists(st.sampled_from("ab"), max_size=2, unique=True).map(tuple),
        created_ms=st.integers(0, 2**41),
    )


small: Final = st.lists(_items(ids), max_size=4) | st.lists(_items(_maybe(ids)), min_size=1, max_size=3)
batches: Final = small | small | st.builds(Large, st.sampled_from((0, 35)), st.booleans())
steps: Final = st.one_of(
    _step("threads.create", owner=st.sampled_from(OWNERS), id=st.sampled_from(NAMES), title=titles, metadata=_maybe(metadata)),
    _step("threads.get", thread=threads),
    _step("threads.update", thread=threads, title=titles, expect=revisions),
    _step("threads.update", thread=threads, metadata=metadata, expect=revisions),
    _step("items.append", thread=threads, items=batches, expect=revisions),
    _step("items.append", thread=threads, items=small, create=st.just(True), expect=revisions, title=titles),
    _step("items.append", thread=threads, items=batches, create=st.just(True), metadata=_maybe(metadata)),
    _step("items.append", thread=threads, items=small, trim_before=st.sampled_from((1, 2, 5, 60, 200))),
    _step("items.append", thread=threads, items=small, once=st.sampled_from(TOKENS), create=st.booleans(), expect=retries),
    _step("items.page", thread=threads, after=_maybe(cursors), limit=st.sampled_from(SIZES), newest_first=st.booleans()),
    _step("items.page", thread=threads, before=cursors, limit=st.sampled_from(SIZES), newest_first=st.booleans()),
    _step("items.page", thread=threads, after=cursors, before=cursors, missing_ok=st.booleans(), newest_first=st.booleans()),
    _step("items.tail", thread=threads, limit=st.sampled_from(SIZES)),
    _step("items.get", thread=threads, id=ids),
    _step("items.replace", thread=threads, id=ids, data=payloads, expect=st.sampled_from((None, "now", "stale")), author=words),
    _step("items.set_status", thread=threads, id=ids, status=statuses, expect=statuses),
    _step("items.remove", thread=threads, id=ids),
    _step("items.remove", thread=threads, id=ids),
    _step("items.truncate", thread=threads, after=cursors),
    _step("items.trim", thread=threads, keep=st.sampled_from((1, 2, 5, 64))),
    _step(
        "items.fork",
        thread=threads,
        at=_maybe(cursors),
        owner=_maybe(st.sampled_from(OWNERS)),
        id=st.sampled_from((*NAMES, "fork")),
        title=titles,
    ),
    _step("threads.delete", thread=threads),
)
keys: Final = st.sampled_from(("k", "a:{b}", "ž*?[x]"))
raw: Final = st.sampled_from((b"1", b"{}", b"[1,null]"))
sessions: Final = st.sampled_from(("s1", "ž:{2}"))
literal_steps: Final = st.one_of(
    _step("values.get", key=keys),
    _step("values.put", key=keys, value=json),
    _step("values.create", key=keys, value=json),
    _step("values.delete", key=keys),
    _step("power.put_value", key=keys, data=_maybe(raw), when=_maybe(raw) | st.just(ANY)),
    _step("routes.get", conversation=keys),
    _step("routes.set", conversation=keys, session_id=sessions),
    _step("routes.resolve", conversation=keys, make=sessions.map(lambda session: lambda: session)),
    _step("routes.rebind", conversation=keys, expect=sessions, to=sessions),
    _step("routes.delete", conversation=keys, expect=_maybe(sessions)),
)


def _sequences(drawn: st.SearchStrategy[Step]) -> st.SearchStrategy[list[Step]]:
    """Some steps, a few of them done twice, as by a caller that lost the first answer."""
    runs = st.builds(lambda step, times: [step] * times, drawn, st.sampled_from((1, 1, 1, 2)))
    return st.lists(runs, min_size=10, max_size=30).map(lambda found: [step for run in found for step in run])


opening: Final = [Step("threads.create", {"owner": owner, "id": NAMES[0]}) for owner in OWNERS]
"""One thread of each owner is there from the start, so that most calls meet one; the others come and go."""
sequences: Final = _sequences(steps).map(lambda drawn: [*opening, *drawn])
literal_sequences: Final = _sequences(literal_steps)


# -- what is played -----------------------------------------------------------------------------------------------------


def view(result: object) -> object:
    """Return a result of the store as the reference says it."""
    match result:
        case Entry():
            words = (result.kind, result.codec, result.author, result.parent, result.status, result.links)
            assert result.unreadable is None
            return Said(result.id, result.position, result.data, *words, result.created_ms)
        case clew.Thread():
            assert result.created_at <= result.updated_at
            assert (result.expires_at, result.unreadable) == (None, None)
            forked_from = None if result.forked_from is None else tuple(result.forked_from)
            return (result.owner, result.id, result.title, dict(result.metadata), result.revision, forked_from)
        case clew.Appended():
            return Wrote(result.ids, result.positions, result.duplicates, result.revision, result.replayed)
        case clew.Page():
            if result.data and isinstance(result.data[-1], Entry):
                assert result.cursor == result.data[-1].id
            return Leaf([view(each) for each in result.data], result.has_more)
        case list():
            return [view(each) for each in result]
        case Resolved():
            return result.session_id, result.created
        case clew.Value():
            assert result.ttl_ms is None
            return result.value
        case _:
            return result


def blame(error: ClewError) -> tuple[object, ...]:
    """Return what a caller can tell an error by."""
    if isinstance(error, ConflictError):
        return type(error).__name__, view(error.expected), view(error.actual)
    return (type(error).__name__,)


class Player:
    """A store and the reference, side by side, in a world where nobody else writes."""

    def __init__(self, store: clew.Store, world: str) -> None:
        """Start empty. The world's name is a part of every owner and every literal key, so that it is new."""
        self.store = store
        self._world = world
        self._reference = Reference(f"v:{world}:", f"r:{{{world}}}:")
        self._values = store.values(f"v:{world}:")
        self._routes = store.routes(f"r:{{{world}}}:")

    async def play(self, step: Step) -> None:
        """Do one step on both. Disagreement where they differ."""
        group, _, verb = step.verb.partition(".")
        asked = {name: self._localize(name, value) for name, value in step.arguments.items()}
        if group == "power":
            asked["key"] = f"v:{self._world}:{asked['key']}"
        told = dict(asked)
        if verb == "replace":
            asked["expect"], told["expect"] = await self._read_expected(**asked)
        elif asked.get("expect") == "now":
            asked["expect"] = told["expect"] = self._reference.revision(asked["thread"])
        targets = {"values": self._values, "routes": self._routes, "power": self.store.backend}
        target = targets.get(group) or getattr(self.store, group)
        found = await _ask(getattr(target, verb)(**asked))
        if isinstance(found, Wrote):
            told["made"] = found.ids
        expected = _answer(getattr(self._reference, f"{group}_{verb}"), **told)
        agree(step.verb, asked, found, expected)

    async def compare_all(self, store: clew.Store) -> None:
        """Read everything by a store, in every way, and compare it with the reference."""
        for name in self._reference.names:
            head = _answer(self._reference.threads_get, name)
            agree("a thread", name, await _ask(store.threads.get(name)), head)
            agree("a tail", name, await _ask(store.items.tail(name)), _answer(self._reference.items_tail, name))
            if isinstance(head, Head):
                await self._compare_pages(store, name)
        for owner in OWNERS:
            for limit in SIZES:
                await self._compare_listing(store, self._owner(owner), limit)
        for key, data in self._reference.literal.items():
            agree("a value", key, await self.store.backend.get_value(key), data)  # type: ignore[attr-defined]
        mine = {key for key in self._reference.literal if key.startswith(f"v:{self._world}:")}
        listed = {f"v:{self._world}:{key}" for key in await _list_values(store.values(f"v:{self._world}:"))}
        agree("the keys of the values", self._world, listed, mine)

    async def _compare_pages(self, store: clew.Store, name: Ref) -> None:
        whole = self._reference.items_tail(name)
        for limit, newest_first, by_id in itertools.product(SIZES, (False, True), (False, True)):
            left = whole[::-1] if newest_first else whole
            cursor: int | str | None = None
            while True:
                side: dict[str, Any] = {"before" if newest_first else "after": cursor}
                page = await store.items.page(name, limit=limit, newest_first=newest_first, **side)
                agree("a page", (name, side, limit), view(page), Leaf(left[:limit], len(left) > limit))
                left = left[limit:]
                if not page.has_more:
                    break
                cursor = page.cursor if by_id else page.data[-1].position

    async def _compare_listing(self, store: clew.Store, owner: str, limit: int) -> None:
        cursor, last = None, None
        while True:
            page = await store.threads.list(owner, limit=limit, cursor=cursor)
            agree("a listing", (owner, limit, last), view(page), self._reference.threads_list(owner, limit, last))
            if not page.has_more:
                return
            cursor, last = page.cursor, Ref(page.data[-1].owner, page.data[-1].id)

    async def _read_expected(self, thread: Ref, id: str, expect: str | None, **_: Any) -> tuple[Entry | None, Said | None]:
        """Return the item as it is, or as it never was, or None where there is none."""
        if expect is None:
            return None, None
        try:
            entry = await self.store.items.get(thread, id)
        except NotFoundError:
            return None, None
        if expect == "stale":
            entry = msgspec.structs.replace(entry, data=b"never stored")
        said = view(entry)
        assert isinstance(said, Said)
        return entry, said

    def _localize(self, name: str, value: Any) -> Any:
        if isinstance(value, Large):
            return value.make()
        if name == "owner" and value is not None:
            return self._owner(value)
        return Ref(self._owner(value.owner), value.id) if isinstance(value, Ref) else value

    def _owner(self, owner: str) -> str:
        return f"{owner}:{self._world}"


def agree(verb: str, about: object, found: object, expected: object) -> None:
    """Raise Disagreement unless both are the same."""
    if found != expected:
        raise Disagreement(f"{verb} {about}:\n  the store:     {found}\n  the reference: {expected}")


async def _ask(call: Awaitable[object]) -> object:
    """Return what the store answers, or how it refuses."""
    try:
        return view(await call)
    except ClewError as error:
        return blame(error)


def _answer(verb: Callable[..., object], *told: object, **named: object) -> object:
    """Return what the reference answers, or how it refuses."""
    try:
        return verb(*told, **named)
    except ClewError as error:
        return blame(error)


async def _list_values(values: clew.store.Values) -> set[str]:
    found: set[str] = set()
    cursor = None
    while True:
        page = await values.list(limit=2, cursor=cursor)
        found |= set(page.data)
        if not page.has_more:
            return found
        cursor = page.cursor


def check(
    url: str,
    drawn: st.SearchStrategy[list[Step]],
    *,
    examples: int,
    around: Callable[[WholeBackend], Backend] | None = None,
) -> None:
    """Play random sequences on a store of its own: the same ones each time, each in a world of its own.

    At the end of each, all is read again; by a second store too, opened before the first write, where the URL is not in memory.
    `around` puts a fault between the store and its backend; what it does is not made smaller.

    Raises:
        Disagreement: the store does something else than the reference.
    """

    async def open_store() -> clew.Store:
        backend = await open_backend(url)
        return clew.Store(backend if around is None else around(cast(WholeBackend, backend)))

    async def play(stores: Sequence[clew.Store], sequence: Sequence[Step]) -> None:
        player = Player(stores[0], new_id()[-12:])
        for step in sequence:
            await player.play(step)
        for store in stores:
            await player.compare_all(store)

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate, Phase.shrink) if around is None else (Phase.generate,),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(drawn)
    def every_sequence_agrees(sequence: list[Step]) -> None:
        runner.run(play(stores, sequence))

    stores: list[clew.Store] = []
    with asyncio.Runner() as runner:
        try:
            for _ in range(1 if url == "memory://" else 2):
                stores.append(runner.run(open_store()))
            every_sequence_agrees()
        finally:
            for store in stores:
                runner.run(store.aclose())
