"""Run as a program by the outbox's fault tests: handhelds that send until they are confirmed.

Two devices scan events 0 … N-1 in turn, with ids that depend on their number only. Each start goes
on behind the confirmations given on the command line, as a handheld does that was not answered.
Prints ``ack NUMBER`` for what the outbox confirmed, then ``done``. Every few bursts the events are
also relayed and applied, so that a kill meets those transactions too.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from edge_agent.outbox.port import Appended, Reading
from edge_agent.outbox.settings import OutboxSettings
from edge_agent.outbox.store import SqliteOutbox
from edge_contract.event import DeviceEvent
from edge_contract.outcome import Outcome

START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def reading(number: int) -> Reading:
    """Event ``number``, the same in every process."""
    random_bits = random.Random(number).getrandbits(128)
    content = {
        "id": UUID(int=random_bits, version=4),
        "kind": "transfer.line",
        "time": START + timedelta(seconds=number),
        "seq": number,
        "data": {
            "document": f"WH/OUT/{number % 7:05d}",
            "barcode": "4006381333931",
            "quantity": str(1 + number % 9),
        },
    }
    device = f"hh-{number % 2}"
    return Reading(device, DeviceEvent.model_validate(content), START + timedelta(seconds=number))


def settings(path: Path) -> OutboxSettings:
    return OutboxSettings(path=path, min_free_bytes=1 << 20)


@contextmanager
def unsynced(otherwise: Path) -> Iterator[Path]:
    """A directory in memory where there is one: it outlives ``kill -9`` as a disk's cache does, and
    syncing it is free."""
    if not os.access("/dev/shm", os.W_OK):
        yield otherwise
        return
    with TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


def say(word: str) -> None:
    os.write(1, word.encode() + b"\n")


async def relay_some(outbox: SqliteOutbox) -> None:
    events = await outbox.pending(20)
    await outbox.mark_relayed([int(event.position) for event in events])
    outcomes = [
        Outcome(device=event.device, event=event.id, stage="applied", at=START)
        for event in events[::2]
    ]
    await outbox.record_outcomes(outcomes, await outbox.downlink_cursor() + 1)


class AcksFirst:
    """Broken on purpose: confirms before the commit."""

    def __init__(self, outbox: SqliteOutbox, numbers: Sequence[int]) -> None:
        self.outbox, self.numbers = outbox, numbers

    def append(self, burst: Sequence[Reading]) -> list[Appended]:
        for number in self.numbers:
            say(f"ack {number}")
        return self.outbox.append_blocking(burst)


async def send(path: Path, todo: list[int], burst: int, variant: str) -> None:
    outbox = await SqliteOutbox.open(settings(path), site="s1", clock=lambda: START)
    if variant == "never-new":
        outbox._ledger.filter.add = lambda key: False  # type: ignore[method-assign]
    for turn, start in enumerate(range(0, len(todo), burst)):
        numbers = todo[start : start + burst]
        readings = [reading(number) for number in numbers]
        if variant == "acks-first":
            await asyncio.to_thread(AcksFirst(outbox, numbers).append, readings)
        else:
            answers = await asyncio.to_thread(outbox.append_blocking, readings)
            for number, answer in zip(numbers, answers, strict=True):
                if answer.result in {"new", "duplicate"}:
                    say(f"ack {number}")
        if turn % 3 == 2:
            await relay_some(outbox)
    await outbox.close()
    say("done")


if __name__ == "__main__":
    database, count, size, seeded = sys.argv[1:5]
    confirmed = {int(number) for number in sys.argv[5].split(",") if number}
    missing = [number for number in range(int(count)) if number not in confirmed]
    asyncio.run(send(Path(database), missing, int(size), seeded))
