"""Mutants of runs on the embedded engine."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from clew.backends.sqlite import run_reading, run_rows, run_verbs, run_writing

from .planting import Mutant, python


def _mutant(module: ModuleType, old: str, new: str) -> Mutant:
    return Mutant(python(module, old, new), "TestRuns", "memory")


_FENCE: Final = "if not row.is_open or row.epoch != run.epoch or events[0].at.seq <= row.last_seq:"
_SAME: Final = "read_range(unit, row, events[0].at, events[-1].at) == list(events)"

RUN_MUTANTS: Final[dict[str, Mutant]] = {
    "a repeated append is fenced": _mutant(run_writing, _SAME, "False"),
    "what is there is not compared": _mutant(run_writing, _SAME, "True"),
    "only the number of events is compared": _mutant(
        run_writing, _SAME, "len(read_range(unit, row, events[0].at, events[-1].at)) == len(events)"
    ),
    "a zombie writes": _mutant(run_writing, _FENCE, "if not row.is_open or events[0].at.seq <= row.last_seq:"),
    "something comes after the end": _mutant(
        run_writing, _FENCE, "if row.epoch != run.epoch or events[0].at.seq <= row.last_seq:"
    ),
    "an append is half there": _mutant(
        run_writing, "event.data, None) for event in events]", "event.data, None) for event in events[:1]]"
    ),
    "a log is made again without its head": _mutant(
        run_writing, "    if not has_log:\n        raise NotFoundError", "    if False:\n        raise NotFoundError"
    ),
    "an append does not keep the log": _mutant(run_writing, "now_ms + run.retention.open_ms, row.id", "row.log_ms, row.id"),
    "a zombie ends the run": _mutant(
        run_writing, "row.epoch != run.epoch or event.at.seq <= row.last_seq:", "event.at.seq <= row.last_seq:"
    ),
    "an end is overwritten": _mutant(
        run_writing,
        "if not row.is_open or row.epoch != run.epoch or event.at.seq <= row.last_seq:",
        "if row.epoch != run.epoch or event.at.seq <= row.last_seq:",
    ),
    "a repeated end is refused": _mutant(run_writing, "if row.end == event:", "if False:"),
    "an end is told by the log alone": _mutant(run_reading, "[] if end is None or end.at <= after else [end]", "[]"),
    "a producer that lives is replaced": _mutant(
        run_writing, "if row.leased_ms > now_ms:\n        raise", "if False:\n        raise"
    ),
    "a producer that lives is interrupted": _mutant(
        run_writing, "if not row.is_open or row.leased_ms > now_ms:", "if not row.is_open:"
    ),
    "a run is interrupted twice": _mutant(
        run_writing, "if not row.is_open or row.leased_ms > now_ms:", "if row.leased_ms > now_ms:"
    ),
    "a repeated claim is another takeover": _mutant(
        run_writing, "if row.holder == holder:\n        return _renew", "if False:\n        return _renew"
    ),
    "a takeover names nothing before it": _mutant(run_writing, 'TAKEOVER, b"", str(row.top)', 'TAKEOVER, b"", str(NOWHERE)'),
    "a lease is not renewed": _mutant(
        run_writing, "(now_ms + lease_ms, log_ms, record_ms, row.id)", "(row.leased_ms, log_ms, record_ms, row.id)"
    ),
    "two runs take the turn": _mutant(run_writing, "    if takes_turn:\n", "    if False:\n"),
    "the turn is never free": _mutant(run_writing, "takes_turn AND state = 'open'", "takes_turn"),
    "the turn is the owner's": _mutant(
        run_writing, "run WHERE owner = ? AND partition = ? AND takes_turn", "run WHERE owner = ? AND ? <> '' AND takes_turn"
    ),
    "an id is used twice": _mutant(
        run_writing, "if row.holder == holder:\n            return row", "if True:\n            return row"
    ),
    "a run needs no thread": _mutant(run_writing, "if find_living(unit, partition) is None:", "if False:"),
    "a run outlives its thread": _mutant(run_writing, "        bury_run(unit, id)\n        unit.touched", "        unit.touched"),
    "a request to stop is not told": _mutant(run_verbs, "now.cancel_ms is not None or", ""),
    "a later request to stop counts": _mutant(run_writing, "or row.cancel_ms is not None:", "or False:"),
    "another owner's run is found": _mutant(
        run_rows, "run WHERE owner = ? AND partition = ? AND name = ?", "run WHERE ? <> '' AND partition = ? AND name = ?"
    ),
    "a reader of a run misses what was there": _mutant(
        run_verbs,
        "return self._follow(partition, run, check_after(after))",
        "return self._follow(partition, run, after or EventId(1, 0))",
    ),
    "a follower reads from the start": _mutant(
        run_verbs, "return self._follow(partition, run, check_after(after))", "return self._follow(partition, run, EventId(0, 0))"
    ),
    "a follower stays after the end": _mutant(
        run_verbs, "if end is not None:\n                    return", "if False:\n                    return"
    ),
    "a follower stays after a drop": _mutant(
        run_writing, "        unit.touched += (run_topic(partition, name), record_topic(partition, name))", "        pass"
    ),
    "a follower leaves before the end": _mutant(run_verbs, "while has_more:", "for has_more in (has_more,):"),
    "a cursor may be anywhere": _mutant(run_reading, "if after > row.top and", "if False and"),
    "a page says there is no more": _mutant(run_reading, "len(events) > limit, None", "False, None"),
    "too much is trimmed": _mutant(run_writing, "(row.id, count - most)", "(row.id, count - most + 1)"),
    "nothing is trimmed": _mutant(run_writing, "if count > most + LUMP:", "if False:"),
    "the record goes with the log": _mutant(
        run_writing, "event.data, after, has_log, log_ms, log_ms + kept.record_ms", "event.data, after, has_log, log_ms, log_ms"
    ),
    "a run is found when its time is over": _mutant(run_rows, "row is None or row.record_ms <= unit.now_ms()", "row is None"),
    "the list is the wrong way round": _mutant(run_reading, "ORDER BY number DESC", "ORDER BY number ASC"),
    "those that have ended are listed as open": _mutant(run_reading, "(state = 'open' OR NOT ?)", "(? IS NOT NULL)"),
}
"""Every mutant by what is wrong with it."""
