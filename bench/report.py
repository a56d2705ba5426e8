"""Rows of results: made and judged here, printed as a plain table, written as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .limits import find_limit


@dataclass(frozen=True, slots=True)
class Row:
    """One measured case.

    Attributes:
        name: of the case, with a suffix for a part of it.
        value: what is judged, None where it could not be measured (`note` says why).
        limit: what it must keep, None for a row that only informs.
        holds: whether it does; true where there is no limit, false where there is no value.
        unit: of the value and the limit.
        subject_median, floor_median: of the rounds; microseconds for one operation, unless `note` says otherwise.
        rounds: how many there were.
        note: what the reader has to know.
    """

    name: str
    value: float | None
    limit: float | None
    holds: bool
    unit: str
    subject_median: float | None
    floor_median: float | None
    rounds: int
    note: str = ""


def judge(
    name: str, value: float, subject: float, floor: float, rounds: int, *, note: str = "", free: bool = False, unit: str = "x"
) -> Row:
    """Return the row of a measured value.

    Args:
        free: a row that only informs, whatever its name; `unit` is its unit then.
    """
    limit = None if free else find_limit(name)
    if limit is None:
        return Row(name, round(value, 3), None, True, unit, round(subject, 2), round(floor, 2), rounds, note)
    holds = limit.holds(value)
    return Row(name, round(value, 3), limit.value, holds, limit.unit, round(subject, 2), round(floor, 2), rounds, note)


def judge_cost(name: str, subject: Sequence[float], floor: Sequence[float], *, note: str = "", free: bool = False) -> Row:
    """Return the row of how many times longer the subject takes: seconds for one operation, a figure a round."""
    s, f = statistics.median(subject), statistics.median(floor)
    return judge(name, s / f, s * 1e6, f * 1e6, len(subject), note=note, free=free)


def judge_throughput(name: str, subject: Sequence[float], floor: Sequence[float], *, note: str = "", free: bool = False) -> Row:
    """Return the row of how many times more the subject does in the same time."""
    s, f = statistics.median(subject), statistics.median(floor)
    return judge(name, f / s, s * 1e6, f * 1e6, len(subject), note=note, free=free, unit="x throughput")


def miss(name: str, why: str) -> Row:
    """Return the row of a case that could not be measured: it does not hold."""
    limit = find_limit(name)
    unit = "x" if limit is None else limit.unit
    return Row(name, None, None if limit is None else limit.value, False, unit, None, None, 0, f"not measured: {why}")


def format_table(rows: Sequence[Row]) -> str:
    """Return the rows as a table of plain text, their notes below."""
    head = ("case", "value", "limit", "holds", "subject", "floor", "rounds")
    lines: list[tuple[str, ...]] = [head]
    for row in rows:
        limit = find_limit(row.name) if row.limit is not None else None
        value = "-" if row.value is None else f"{row.value:.2f} {row.unit}"
        holds = "" if row.limit is None and row.value is not None else "yes" if row.holds else "NO"
        figures = ("-" if figure is None else f"{figure:,.1f}" for figure in (row.subject_median, row.floor_median))
        lines.append((row.name, value, str(limit or ""), holds, *figures, str(row.rounds)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    table = [_join(line, widths) for line in lines]
    table.insert(1, "  ".join("-" * width for width in widths))
    notes = [f"  {row.name}: {row.note}" for row in rows if row.note]
    return "\n".join([*table, *(["", "Notes:", *notes] if notes else [])])


def _join(line: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.ljust(width) if column in (0, 2, 3) else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def write_json(rows: Sequence[Row], path: Path) -> None:
    """Write the rows to a file."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
