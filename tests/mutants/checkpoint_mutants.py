"""Mutants of checkpoints, on both engines. `lua` plants a fault in the scripts of Redis."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from clew.backends.redis import checkpoints_reading
from clew.backends.sqlite import checkpoint_reading, checkpoint_rows

from .planting import Fault, Mutant, python

_SUITE = "TestCheckpointing"


def _embedded(module: ModuleType, old: str, new: str) -> Mutant:
    return Mutant(python(module, old, new), _SUITE, "memory")


def make_mutants(lua: Callable[[str, str], Fault]) -> dict[str, Mutant]:
    """Return every mutant by what is wrong with it."""

    def scripted(old: str, new: str) -> Mutant:
        return Mutant(lua(old, new), _SUITE)

    return {
        "a repeated write overwrites": scripted("tonumber(string.sub(member, stop - 7, stop - 1)) < 1000", "true"),
        "a part is overwritten": scripted("redis.call('HSETNX', parts,", "redis.call('HSET', parts,"),
        "a span counts what was there as new": scripted("positions[i] = position", "positions[i] = first + i - 1"),
        "writes of another checkpoint leak": scripted("'(' .. start .. '\\1'", "'(' .. start .. '\\255'"),
        "a put goes into another life": scripted("if ARGV[at] ~= '' and ARGV[at] ~= made then", "if false then"),
        "what a checkpoint uses may be nowhere": scripted("redis.call('HEXISTS', parts, ARGV[i]) == 0", "false"),
        "checkpoints outlive a time to live": scripted("list, ids, new, points, parts, writes}", "list, ids, new}"),
        "a fence is not compared": scripted("if fence ~= ARGV[5] then", "if false then"),
        "entries before the window are left out": Mutant(python(checkpoints_reading, "if not older:", "if True:"), _SUITE),
        "a drop takes a part that others go on from": _embedded(
            checkpoint_rows, "following = chains.pop(following, None)", "chains.pop(following, None); following = None"
        ),
        "the latest is the one put last": _embedded(
            checkpoint_reading, "AND branch = ? ORDER BY id DESC LIMIT 1", "AND branch = ? ORDER BY rowid DESC LIMIT 1"
        ),
        "a way back goes on after the last seed": _embedded(
            checkpoint_reading, "if not missing:\n                    break", "if False:\n                    break"
        ),
    }
