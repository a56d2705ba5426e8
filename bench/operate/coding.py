"""What encryption costs beside the bare cipher, and what compression saves of the server's memory."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import clew
from clew import NewItem, Ref, Store

from ..core.place import OWNER, PAYLOAD, fill, open_place
from ..measure import Work, interleave
from ..report import Row, judge_cost
from ..topics import Plan, Topic

NAME: Final = "encryption-overhead"
COUNT: Final = 200
AS_WIDE: Final = b"a place, as the one that a record is bound to: owner, thread, log and id"


async def run(plan: Plan) -> list[Row]:
    """Measure `encryption-overhead` of an append and of the newest 200."""
    rows: list[Row] = []
    secret = quote(f"bench:{base64.b64encode(os.urandom(32)).decode()}", safe="")
    async with open_place() as place, clew.connect(f"{place.server.url}?encryption_secret={secret}") as sealed:
        contenders: Sequence[tuple[str, dict[str, Work], int, str]] = (
            ("append-1", await _appends(place.store, sealed), 1_000, "off, and AES-GCM of its 500 bytes with a fresh nonce"),
            ("tail-200", await _tails(place.store, sealed), 200, "off, and AES-GCM of 200 times 500 bytes"),
        )
        for case, works, count, floor in contenders:
            name = f"{NAME}/{case}"
            if plan.wants(name):
                times = await interleave(name, works, rounds=plan.rounds, count=count)
                rows.append(judge_cost(name, times["subject"], times["floor"], note=f"floor: {floor}"))
    return rows


async def _appends(plain: Store, sealed: Store) -> dict[str, Work]:
    encrypt = AESGCM(os.urandom(32)).encrypt
    threads = [await store.threads.create(OWNER, id=id) for store, id in ((sealed, "sealed"), (plain, "plain"))]

    async def subject(count: int) -> None:
        for _ in range(count):
            await sealed.items.append(threads[0], NewItem(PAYLOAD))

    async def floor(count: int) -> None:
        for _ in range(count):
            encrypt(os.urandom(12), PAYLOAD, AS_WIDE)
            await plain.items.append(threads[1], NewItem(PAYLOAD))

    return {"subject": subject, "floor": floor}


async def _tails(plain: Store, sealed: Store) -> dict[str, Work]:
    cipher = AESGCM(os.urandom(32))
    nonces = [os.urandom(12) for _ in range(COUNT)]
    stored = [cipher.encrypt(nonce, PAYLOAD, AS_WIDE) for nonce in nonces]
    await fill(sealed, "sealed-tail", 1_000)
    await fill(plain, "plain-tail", 1_000)

    async def subject(count: int) -> None:
        for _ in range(count):
            payloads = [item.data for item in await sealed.items.tail(Ref(OWNER, "sealed-tail"), COUNT)]
            assert payloads == [PAYLOAD] * COUNT

    async def floor(count: int) -> None:
        for _ in range(count):
            opened = [cipher.decrypt(nonce, each, AS_WIDE) for nonce, each in zip(nonces, stored, strict=True)]
            payloads = [item.data for item in await plain.items.tail(Ref(OWNER, "plain-tail"), COUNT)]
            assert payloads == opened

    return {"subject": subject, "floor": floor}


TOPIC: Final = Topic((f"{NAME}/append-1", f"{NAME}/tail-200"), run)
