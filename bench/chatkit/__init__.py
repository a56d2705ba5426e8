"""What ChatKit's store costs: the round trips of each method, and a page of a long thread."""

from __future__ import annotations

from typing import Final

from ..topics import Topic
from . import page, trips

TOPICS: Final[tuple[Topic, ...]] = (trips.TOPIC, page.TOPIC, page.THREADS)
