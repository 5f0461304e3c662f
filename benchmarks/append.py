"""Append time of the outbox with a thousand and with a million rows stored.

Both outboxes are appended to in turns, a burst of 256 each, beside a bare table with the same
commits and nothing else. Ids are random (UUIDv4), the worst case for an index. The aim is that the
time does not grow: 1.15 times is taken as the same, because single commits vary by more than that.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Aim, Figure, paired
from benchmarks.scans import reading
from benchmarks.stage import Stage, filled, opened

BURST = 256
FEW = 1000
#: Rounds make one repetition, whose medians are compared.
REPETITIONS = 5


def run(stage: Stage) -> list[Figure]:
    rounds = stage.size(40, 8)
    large = stage.large_outbox
    stage.say("append: bursts of 256 in turns")
    return asyncio.run(_measure(large, stage.folder("append"), rounds))


async def _measure(large_path: Path, folder: Path, rounds: int) -> list[Figure]:
    small = await opened(folder / "small.db")
    await filled(small, FEW)
    large = await opened(large_path)
    rows = (await large.lag()).newest_position
    append_bare = bare(folder / "bare.db")
    spent: dict[str, list[float]] = {"small": [], "large": [], "bare": []}
    for repetition in range(REPETITIONS):
        times: dict[str, list[float]] = {name: [] for name in spent}
        for turn in range(repetition * rounds, (repetition + 1) * rounds):
            burst = [reading(rows + turn * BURST + number) for number in range(BURST)]
            for name, work in (
                ("small", lambda burst=burst: small.append_blocking(burst)),
                ("large", lambda burst=burst: large.append_blocking(burst)),
                ("bare", lambda turn=turn: append_bare(turn * BURST)),
            ):
                begin = time.perf_counter()
                work()
                times[name].append(time.perf_counter() - begin)
        for name, taken in times.items():
            spent[name].append(statistics.median(taken))
    begin = time.perf_counter()
    await large.pending_json(500, 1 << 20)
    pending = time.perf_counter() - begin
    await small.close()
    await large.close()
    return [
        _figure(
            f"append of 256 rows at {rows:,} rows stored",
            spent["large"],
            spent["small"],
            f"at {FEW:,} rows",
            Aim("ratio", "≤", 1.15),
        ),
        _figure(
            f"append of 256 rows at {FEW:,} rows stored",
            spent["small"],
            spent["bare"],
            "into a bare table",
        ),
        Figure(f"next batch of 500 out of {rows:,}", "ms", pending * 1000),
    ]


def _figure(
    what: str, ours: list[float], baseline: list[float], against: str, aim: Aim | None = None
) -> Figure:
    """As ``paired``, in milliseconds; the ratio is one of times: smaller is better."""
    own, other = ([value * 1000 for value in side] for side in (ours, baseline))
    return paired(what, "ms", own, other, against, aim)


def bare(path: Path) -> Callable[[int], None]:
    """A table with the same pragmas and commits, and nothing else. Never closed: it is thrown
    away with its folder."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4096"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE event (position INTEGER PRIMARY KEY, body BLOB, digest BLOB)")

    def append(first: int) -> None:
        rows = [(first + number, bytes(200), bytes(32)) for number in range(BURST)]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO event VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")

    return append
