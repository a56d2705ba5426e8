"""What the service costs over HTTP, and what routing costs: `python -m bench service`."""

from __future__ import annotations

from typing import Final

from ..topics import Topic
from . import post, race, route

TOPICS: Final[tuple[Topic, ...]] = (post.TOPIC, route.TOPIC, race.TOPIC)
