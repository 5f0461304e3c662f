"""A relay's inbox at work, to be killed: stores batches, settles them, and says what it confirmed.

``python inbox_child.py DATABASE BATCHES [early]``: batch ``n`` holds the positions ``4n-3`` to
``4n``. ``early`` is the seeded mistake: it confirms before it has stored.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cloud_relay.inbox.port import Arrival, Verdict
from cloud_relay.inbox.store import SqliteInbox
from edge_contract.event import CloudEvent, DeviceEvent, cloud_event

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SIZE = 4


def event(position: int) -> CloudEvent:
    event_id = uuid5(NAMESPACE_URL, f"event {position}")
    data = {"document": f"OUT/{position % 3}", "barcode": "4006381333931", "quantity": "1"}
    happened = NOON + timedelta(seconds=position)
    return cloud_event(
        DeviceEvent(id=event_id, kind="transfer.line", time=happened, data=data),
        event_id=event_id,
        site="north",
        device="scanner-1",
        position=position,
        recorded=happened,
    )


def batch(number: int) -> Arrival:
    first = (number - 1) * SIZE + 1
    return Arrival(
        site="north",
        target="company",
        agent="agent",
        generation=uuid5(NAMESPACE_URL, "generation"),
        events=[event(position) for position in range(first, first + SIZE)],
        received=NOON,
    )


async def work(database: Path, batches: int, early: bool) -> None:
    inbox = await SqliteInbox.open(database)
    for number in range(1, batches + 1):
        if early:
            print("stored", number, flush=True)
        await inbox.store(batch(number))
        if not early:
            print("stored", number, flush=True)
        ready = await inbox.ready("company", NOON, SIZE)
        verdicts = [Verdict(entry.number, "applied") for entry in ready]
        await inbox.settle(verdicts, NOON, {"company": {"claim": str(number)}})
        print("settled", number, flush=True)
    await inbox.close()


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), int(sys.argv[2]), "early" in sys.argv))
