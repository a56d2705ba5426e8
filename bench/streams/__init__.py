"""What runs cost on Redis: `python -m bench streams`."""

from __future__ import annotations

from typing import Final

from ..topics import Topic
from . import append, connections, latency

TOPICS: Final[tuple[Topic, ...]] = (append.TOPIC, latency.TOPIC, connections.TOPIC)
