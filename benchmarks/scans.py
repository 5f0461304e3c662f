"""Scans as a busy shift makes them, with ids that are new each time they are asked for.

Of ten scans six are of an article number (EAN-13, of 500 articles), three of a GS1 label with GTIN,
expiry and lot (of 2,000 labels), and one of a GS1 label with a serial number, which is read once
in its life. Twenty handhelds; fifty transfers are being worked on at a time.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from edge_agent.outbox.port import Reading
from edge_contract.event import DeviceEvent
from edge_contract.scalars import instant_text

DEVICES = tuple(f"hh-{number:02d}" for number in range(20))


def check_digit(digits: str) -> str:
    """GS1's check digit: weights 3 and 1 from the right."""
    total = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def ean(article: int) -> str:
    digits = f"40063813{article:04d}"
    return digits + check_digit(digits)


def barcode(rng: random.Random) -> str:
    kind = rng.randrange(10)
    if kind < 6:
        return ean(rng.randrange(500))
    if kind < 9:
        label = rng.randrange(2000)
        return f"]C1010{ean(label % 500)}1728063010LOT{label:05d}"
    return f"]C1010{ean(rng.randrange(500))}21{rng.getrandbits(40):013d}"


def line(number: int, rng: random.Random | None = None) -> dict[str, Any]:
    """``data`` of a ``transfer.line``."""
    rng = rng or random.Random()
    return {
        "document": f"WH/OUT/{number // 2000 * 20 + rng.randrange(50):05d}",
        "barcode": barcode(rng),
        "quantity": str(rng.randrange(1, 6)),
        "from": f"WH-STOCK-{rng.randrange(300):03d}",
    }


def device_of(number: int) -> str:
    return DEVICES[number % len(DEVICES)]


def new_id() -> UUID:
    return UUID(int=random.getrandbits(128), version=4)


def payload(number: int, rng: random.Random | None = None) -> bytes:
    """The scan as a handheld publishes it."""
    event = {
        "id": str(new_id()),
        "kind": "transfer.line",
        "time": instant_text(datetime.now(UTC)),
        "seq": number // len(DEVICES),
        "data": line(number, rng),
    }
    return json.dumps(event).encode()


def reading(number: int) -> Reading:
    """The scan as the intake hands it to the outbox, barcodes unread."""
    when = datetime.now(UTC)
    event = DeviceEvent.model_construct(
        id=new_id(),
        kind="transfer.line",
        time=when,
        seq=number // len(DEVICES),
        data=line(number, _shared),
    )
    return Reading(device_of(number), event, when, 12, 5)


_shared = random.Random(7)
