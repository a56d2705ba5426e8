"""What it costs to operate clew: `python -m bench operate`."""

from __future__ import annotations

from typing import Final

from ..topics import Topic
from . import coding, journal, moving, shrinking

TOPICS: Final[tuple[Topic, ...]] = (moving.TOPIC, journal.TOPIC, coding.TOPIC, shrinking.TOPIC)
