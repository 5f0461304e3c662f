"""Append time of the outbox with a thousand and with a million rows stored, and its memory.

Both outboxes are measured in turns in one run, beside a bare table with the same commits and
nothing else, so that the figures can be compared as ratios. Ids are random (UUIDv4), the worst
case for an index. ``python benchmarks/outbox_append.py --rows 1000000``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sqlite3
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from edge_agent.outbox.port import Reading
from edge_agent.outbox.settings import OutboxSettings
from edge_agent.outbox.store import SqliteOutbox
from edge_contract.event import DeviceEvent

START = datetime(2026, 11, 24, tzinfo=UTC)
BURST = 256
ROUNDS = 200


def reading(number: int) -> Reading:
    """A scan of one of twenty handhelds; fifty documents are being worked on at a time."""
    when = START + timedelta(milliseconds=20 * number)
    document = number // 2000 * 20 + random.randrange(50)
    event = DeviceEvent.model_construct(
        id=UUID(int=random.getrandbits(128), version=4),
        kind="transfer.line",
        time=when,
        seq=number,
        data={
            "document": f"WH/OUT/{document:05d}",
            "barcode": "]C1011061414100041410LOT7",
            "quantity": "3",
            "from": "WH-STOCK-A1",
            "to": "WH-OUTPUT",
        },
    )
    return Reading(f"hh-{number % 20:02d}", event, when, 12, 5)


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


async def open_with(directory: Path, rows: int) -> SqliteOutbox:
    settings = OutboxSettings(path=directory / f"{rows}.db")
    outbox = await SqliteOutbox.open(settings, site="s1", clock=lambda: START)
    for start in range(0, rows, 1000):
        outbox.append_blocking([reading(number) for number in range(start, start + 1000)])
    return outbox


def bare(directory: Path) -> Callable[[int], None]:
    connection = sqlite3.connect(directory / "bare.db", isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4096"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE event (position INTEGER PRIMARY KEY, body BLOB, digest BLOB)")

    def append(first: int) -> None:
        rows = [(first + number, bytes(200), bytes(32)) for number in range(BURST)]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO event VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")

    return append


async def measure(directory: Path, rows: int) -> dict[str, float]:
    small, large = await open_with(directory, 1000), await open_with(directory, rows)
    append_bare = bare(directory)
    spent: dict[str, list[float]] = {"small": [], "large": [], "bare": []}
    for turn in range(ROUNDS):
        burst = [reading(rows + turn * BURST + number) for number in range(BURST)]
        for name, work in (
            ("small", lambda burst=burst: small.append_blocking(burst)),
            ("large", lambda burst=burst: large.append_blocking(burst)),
            ("bare", lambda turn=turn: append_bare(turn * BURST)),
        ):
            begin = time.perf_counter()
            work()
            spent[name].append(time.perf_counter() - begin)
    begin = time.perf_counter()
    await large.pending(500)
    pending = time.perf_counter() - begin
    middle = {name: statistics.median(times) for name, times in spent.items()}
    result = {
        "rows": float(rows),
        "rows_per_s_at_1000": BURST / middle["small"],
        "rows_per_s_at_rows": BURST / middle["large"],
        "rows_per_s_bare": BURST / middle["bare"],
        "time_at_rows_to_time_at_1000": middle["large"] / middle["small"],
        "pending_500_ms": pending * 1000,
        "resident_mib": resident_mib(),
    }
    await small.close()
    await large.close()
    return {name: round(value, 2) for name, value in result.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path, default=None)
    options = parser.parse_args()
    with TemporaryDirectory(dir=options.directory) as directory:
        print(json.dumps(asyncio.run(measure(Path(directory), options.rows)), indent=2))


if __name__ == "__main__":
    main()
