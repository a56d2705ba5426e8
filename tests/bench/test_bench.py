"""The benchmark's own parts: rounds, judgements and rows; and one row of it, measured in small against a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from bench.__main__ import NAMES
from bench.limits import LIMITS, find_limit
from bench.measure import interleave
from bench.report import format_table, judge_cost, judge_throughput, miss
from bench.topics import Plan, Topic

TOP = Path(__file__).resolve().parents[2]
KEYS = ["name", "value", "limit", "holds", "unit", "subject_median", "floor_median", "rounds"]


def test_every_limit_has_a_topic_that_measures_it() -> None:
    topics: list[Topic] = [topic for name in NAMES for topic in import_module(f"bench.{name}").TOPICS]
    names = [name for topic in topics for name in topic.names]
    for limit in LIMITS:
        assert any(f"{name}/".startswith(f"{limit}/") for name in names), limit


def test_a_cost_holds_up_to_its_limit() -> None:
    at_limit = judge_cost("append-1/x", [1.4, 9.0, 0.1], [1.0, 1.0, 1.0])
    assert (at_limit.value, at_limit.limit, at_limit.holds, at_limit.rounds) == (1.4, 1.4, True, 3)
    assert not judge_cost("append-1", [1.41], [1.0]).holds


def test_a_throughput_holds_from_its_limit_on() -> None:
    assert judge_throughput("append-100-tasks/x", [1.0], [4.0]).holds
    assert not judge_throughput("append-100-tasks", [1.0], [3.9]).holds


def test_a_row_without_a_limit_holds_and_says_so() -> None:
    row = judge_cost("append-1/bare-connection", [5.0], [1.0], free=True)
    assert (row.limit, row.holds) == (None, True)


def test_a_row_that_could_not_be_measured_does_not_hold() -> None:
    row = miss("agent-framework-turn/time", "no uv")
    assert (row.value, row.limit, row.holds, row.note) == (None, 0.5, False, "not measured: no uv")
    assert "NO" in format_table([row])


def test_a_part_has_the_limit_of_its_case() -> None:
    assert find_limit("page-20-of-100k/sqlite/end") is LIMITS["page-20-of-100k"]
    assert find_limit("agent-framework-turn/else") is None


def test_a_plan_wants_a_row_and_those_below_it() -> None:
    plan = Plan(5, "page-20-of-100k")
    assert plan.wants("page-20-of-100k/sqlite/end")
    assert not plan.wants("append-1")
    assert Plan(5, "append-1").wants("append-1/bare-connection")
    assert not Plan(5, "append-1").wants("append-10")
    assert Plan(5, "page-20-of-100k/sqlite/end").wants("page-20-of-100k/sqlite")


async def test_contenders_take_turns_after_a_warm_up() -> None:
    done: list[str] = []

    async def one(count: int) -> None:
        done.append(f"one {count}")

    async def other(count: int) -> None:
        done.append(f"other {count}")

    times = await interleave("t", {"one": one, "other": other}, rounds=5, count=4)
    assert done == ["one 2", "other 2", *["one 4", "other 4"] * 5]
    assert {name: len(figures) for name, figures in times.items()} == {"one": 5, "other": 5}


async def test_fewer_than_five_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 5"):
        await interleave("t", {}, rounds=4, count=1)


@pytest.mark.parametrize(
    ("bench", "row"),
    [
        ("core", "tail-200"),
        ("streams", "streams-connections"),
        ("service", "get-or-create/time/routes"),
        ("langgraph", "round-trips/get_tuple"),
    ],
)
def test_the_command_writes_its_rows_and_tells_by_its_code_whether_they_hold(bench: str, row: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    command = [sys.executable, "-m", "bench", bench, "--only", row, "--rounds", "5", "--json", str(file)]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False, timeout=50)
    rows = json.loads(file.read_text())
    assert [each["name"] for each in rows] == [row]
    assert list(rows[0])[: len(KEYS)] == KEYS
    assert done.returncode == (0 if rows[0]["holds"] else 1), done.stderr
    assert row in done.stdout


def test_a_row_that_is_not_there_is_refused() -> None:
    command = [sys.executable, "-m", "bench", "core", "--only", "append-7"]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 2
    assert "there is no row 'append-7': use one of append-1, append-10" in done.stderr
