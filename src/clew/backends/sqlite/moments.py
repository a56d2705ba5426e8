"""The time of a commit that is listed: later than every other in its owner's listing, whatever the clock says."""

from __future__ import annotations

from typing import Final

from .unit import Unit

_LATEST: Final = "SELECT listed_us FROM partition WHERE owner = ? AND listed_us IS NOT NULL ORDER BY listed_us DESC LIMIT 1"


def choose_moment(unit: Unit, owner: str, now_us: int) -> int:
    """Return now, as a rule, in microseconds; and remember it as the latest."""
    latest = unit.memo.get_listed_us(owner)
    if latest is None:
        row = unit.db.execute(_LATEST, (owner,)).fetchone()
        latest = 0 if row is None else int(row[0])
    moment = max(now_us, latest + 1)
    unit.memo.put_listed_us(owner, moment)
    return moment
