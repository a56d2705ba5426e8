"""Retention in the service: the policy that CLEW_RETENTION names, applied in the background, by one of all instances."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import clew

from ..adapters.chatkit.threads import HAS_ATTACHMENTS
from ..backend import Leasing
from ..errors import ClewError, InvalidError
from ..ids import new_id
from ..store.retention import PLACE, Applied, DeleteWhole, Policy, apply_alone, parse_policy

logger = logging.getLogger("clew.service")

EVERY_S: Final = 3600.0
FIRST_S: Final = 60.0
"""A worker's first look comes within this time, by chance."""


class Retainer:
    """Applies a policy once an hour, whichever instance of all is the first in that hour."""

    def __init__(self, policy: Policy, store: Callable[[], clew.Store], delete: DeleteWhole) -> None:
        """Start nothing yet.

        Args:
            store: returns the store; UnavailableError while it is away.
            delete: deletes a thread with its attachments.
        """
        self._policy = policy
        self._store = store
        self._delete = delete
        self._holder = new_id()

    async def run(self) -> None:
        """Go on until this is cancelled."""
        await asyncio.sleep(random.uniform(0, FIRST_S))
        while True:
            try:
                await self.look()
            except ClewError as error:
                logger.warning("the retention policy could not be applied: %s", error, extra={"event": "retention_failed"})
            await asyncio.sleep(EVERY_S)

    async def look(self) -> Applied | None:
        """Apply the policy, unless an instance has done so in this hour, or is at it: then None."""
        backend = self._store().backend
        # Not released: it says that this hour's turn is taken.
        if isinstance(backend, Leasing) and not await backend.claim(
            PLACE, "hour", self._holder, ttl_ms=int(0.9 * EVERY_S * 1000)
        ):
            return None
        now_us = time.time_ns() // 1000
        done = await apply_alone(backend, self._policy, now_us=now_us, attached=HAS_ATTACHMENTS, delete_attached=self._delete)
        if done is not None:
            told = {"event": "retention"}
            logger.info("the retention policy was applied: %d threads and %d items went", done.deleted, done.items, extra=told)
        return done


def read_policy(path: str) -> Policy:
    """Return the policy in a file; InvalidError where it cannot be read or used."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"CLEW_RETENTION names {path}, which cannot be read: {error}") from error
    return parse_policy(text)
