"""Retention: what a policy says goes, on every engine, and nothing else; what is linked stays whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest

import clew
from clew.checkpoints import PutCheckpoint
from clew.records import Partition
from clew.store.retention import DAY_US, Applied, Policy, Rule, apply, parse_policy
from clew.store.trimming import last_safe_cut

POLICY = """
[user]
idle_days = 365
most_items = 1000

[team]
item_days = 30

[owners."grace"]
idle_days = 7.5
"""


@pytest.fixture(params=["memory", "redis-8.2"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """Where the store is."""
    return url_of(request.param)


def day(number: float) -> int:
    """Return the time so many days from now, in microseconds."""
    return time.time_ns() // 1000 + int(number * DAY_US)


def of_users(**rule: float) -> Policy:
    return Policy({"user": Rule(**rule)})  # type: ignore[arg-type]  # the fields as they are named


async def fill(store: clew.Store, owner: str, id: str, ages: Sequence[float], links: Sequence[tuple[str, ...]] = ()) -> clew.Ref:
    """Make a thread of items of these ages in days; their ids are their numbers."""
    now_ms = day(0) // 1000
    ref = clew.Ref(owner, id)
    items = [
        clew.NewItem(b"1", id=str(n), created_ms=now_ms - int(age * 86_400_000), links=links[n] if links else ())
        for n, age in enumerate(ages)
    ]
    await store.items.append(ref, items, create=True)
    return ref


async def names(store: clew.Store, ref: clew.Ref) -> list[str]:
    return [item.id for item in await store.items.tail(ref)]


def test_a_policy_is_read_and_the_nearest_rule_counts_alone() -> None:
    policy = parse_policy(POLICY)
    assert policy.rule_of("ada") == Rule(idle_days=365, most_items=1000)
    assert policy.rule_of("grace") == Rule(idle_days=7.5)
    assert policy.rule_of("clew:team:red") == Rule(item_days=30)
    assert policy.rule_of("clew:system") is None
    assert policy.rule_of("clew:keys") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[user",
        "[users]\nidle_days = 1",
        "[user]\nidle = 1",
        "[user]\nidle_days = 0",
        "[user]\nidle_days = true",
        "[user]\nidle_days = nan",
        "[user]\nmost_items = 1.5",
        "[user]\nmost_items = 0",
        "user = 1",
        "owners = 1",
    ],
)
def test_a_policy_that_says_nothing_clear_is_refused(text: str) -> None:
    with pytest.raises(clew.InvalidError):
        parse_policy(text)


async def test_threads_that_nobody_wrote_to_go_and_a_dry_run_only_counts(store: clew.Store) -> None:
    for owner in ("ada", "grace", "clew:team:red", "clew:keys"):
        await fill(store, owner, "t", [0])
    policy = Policy({"user": Rule(idle_days=10)}, {"grace": Rule(idle_days=30)})
    assert (await apply(store.backend, policy, now_us=day(9))).deleted == 0
    counted = await apply(store.backend, policy, now_us=day(11), dry=True)
    assert (counted.deleted, await names(store, clew.Ref("ada", "t"))) == (1, ["0"])
    done = await apply(store.backend, policy, now_us=day(11))
    assert done == counted == Applied(owners=2, threads=2, deleted=1)
    with pytest.raises(clew.GoneError):
        await names(store, clew.Ref("ada", "t"))
    for owner in ("grace", "clew:team:red", "clew:keys"):
        assert await names(store, clew.Ref(owner, "t")) == ["0"]


async def test_the_oldest_items_go_by_age_and_by_number_and_that_is_no_sign_of_life(store: clew.Store) -> None:
    old = await fill(store, "ada", "old", [50, 40, 20, 45, 1])
    every = await fill(store, "ada", "every", [50, 40])
    many = await fill(store, "ada", "many", [3] * 1200)
    policy = of_users(item_days=30, most_items=5, idle_days=100)
    counted = await apply(store.backend, policy, now_us=day(0), dry=True)
    done = await apply(store.backend, policy, now_us=day(0))
    assert done == counted == Applied(owners=1, threads=3, items=2 + 2 + 1195)
    assert await names(store, old) == ["2", "3", "4"]
    assert await names(store, every) == []
    assert await names(store, many) == [str(n) for n in range(1195, 1200)]
    assert (await apply(store.backend, policy, now_us=day(0))).items == 0
    # Trimmed or not, they were written to when they were made.
    assert (await apply(store.backend, policy, now_us=day(100.01))).deleted == 3


async def test_what_is_linked_stays_whole(store: clew.Store) -> None:
    links: list[tuple[str, ...]] = [(), ("call",), (), ("call",), ()]
    ref = await fill(store, "ada", "t", [50, 40, 39, 20, 1], links)
    await apply(store.backend, of_users(item_days=30), now_us=day(0))
    assert await names(store, ref) == ["1", "2", "3", "4"]
    await apply(store.backend, of_users(most_items=2), now_us=day(0))
    assert await names(store, ref) == ["4"]


async def test_items_that_a_programs_state_refers_to_are_left(store: clew.Store) -> None:
    ref = await fill(store, "ada", "t", [50, 1])
    await store.backend.commit(Partition("ada", "t"), [PutCheckpoint("", "1", None, b"head", ())])
    done = await apply(store.backend, of_users(item_days=30), now_us=day(0))
    assert (done.items, done.kept, await names(store, ref)) == (0, 1, ["0", "1"])


async def test_threads_with_attachments_are_deleted_by_whoever_knows_those(store: clew.Store) -> None:
    await store.threads.create("ada", id="t", notes={"chatkit/attachments": True})
    arguments = {"now_us": day(11), "attached": "chatkit/attachments"}
    policy = of_users(idle_days=10)
    assert await apply(store.backend, policy, **arguments) == Applied(owners=1, threads=1, kept=1)  # type: ignore[arg-type]
    asked: list[Partition] = []

    async def delete(partition: Partition) -> None:
        asked.append(partition)

    await apply(store.backend, policy, **arguments, delete_attached=delete)  # type: ignore[arg-type]
    assert asked == [Partition("ada", "t")]


def test_the_last_safe_cut_splits_no_link() -> None:
    items = [clew.NewItem(b"", links=links) for links in ((), ("a",), ("a", "b"), (), ("b",), ())]
    assert [last_safe_cut(items, most) for most in range(7)] == [0, 1, 1, 1, 1, 5, 6]
