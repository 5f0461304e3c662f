"""Uplink drain: a backlog goes from the agent's outbox into the relay's inbox.

Method. A real agent process with N events in its outbox finds a real relay process with an empty
inbox (HTTP on the loopback, Odoo out of reach, no limits of rate). Timed from the first sample of
the agent's status that shows progress to the one that shows nothing left, by what was relayed
between the two. In turns with it, the same events in the same bodies (batches of 500, gzip) go over
httpx to a server process

- that **only reads** them, the bodies packed beforehand: what the way itself can carry;
- **between two bare tables**: read from SQLite, packed, posted, unpacked, parsed, committed, and
  marked as sent; no checks, no order, no dedupe: the least that loses nothing.
"""

from __future__ import annotations

import asyncio
import gzip
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import httpx

from benchmarks.away import Agent, relay_alone
from benchmarks.figures import Figure, paired
from benchmarks.reader import bare_table
from benchmarks.stage import Stage, filled, opened
from edge_agent.outbox.store import SqliteOutbox
from edge_contract.batch import MAX_BATCH_EVENTS
from edge_sandbox.process import Part

#: As the agent's client compresses.
GZIP_LEVEL = 1
PATIENCE = 600.0


def run(stage: Stage) -> list[Figure]:
    events, repetitions = stage.size((100_000, 3), (5_000, 1))
    rates: dict[str, list[float]] = {"ours": [], "read": [], "bare": []}
    batches: list[list[str]] = []
    for repetition in range(repetitions):
        what = f"uplink: repetition {repetition + 1} of {repetitions}"
        folder = stage.folder(f"uplink-{repetition}")
        stage.say(f"{what}, {events:,} events are made")
        asyncio.run(_fill(folder / "outbox.db", events))
        if not batches:
            asyncio.run(_fill(folder / "twin.db", events))
            batches = asyncio.run(_bodies(folder / "twin.db"))
        turns: list[tuple[str, Callable[[], float]]] = [
            ("ours", partial(drain_ours, folder)),
            ("read", partial(post_read, folder, batches)),
            ("bare", partial(post_bare, folder, batches)),
        ]
        turn = repetition % len(turns)
        for name, side in turns[turn:] + turns[:turn]:
            stage.say(f"{what}, {name}")
            rates[name].append(side())
    unit = "events/s"
    return [
        paired(
            f"uplink drain of {events:,} events",
            unit,
            rates["ours"],
            rates["bare"],
            "between two bare tables",
        ),
        paired(
            "… the same", unit, rates["ours"], rates["read"], "httpx to a server that only reads"
        ),
    ]


async def _fill(path: Path, events: int) -> None:
    outbox = await opened(path)
    await filled(outbox, events)
    await outbox.close()


async def _bodies(path: Path) -> list[list[str]]:
    """What the agent would send out of a twin of its outbox, whose batches are all answered."""
    twin = await opened(path)
    try:
        return [batch async for batch in _batches(twin)]
    finally:
        await twin.close()


async def _batches(outbox: SqliteOutbox) -> AsyncIterator[list[str]]:
    while batch := await outbox.pending_json(MAX_BATCH_EVENTS, 1 << 20):
        yield [text for _, text in batch]
        await outbox.mark_relayed([position for position, _ in batch])


def drain_ours(folder: Path) -> float:
    """Events a second from outbox to inbox."""
    home = folder / "ours"
    home.mkdir()
    samples: list[tuple[float, int]] = []
    with relay_alone(folder / "relay") as relay, Agent(home, folder / "outbox.db", relay) as agent:
        deadline = time.monotonic() + PATIENCE
        while not samples or samples[-1][1]:
            samples.append((time.perf_counter(), agent.status()["outbox"]["unrelayed"]))
            if time.monotonic() > deadline:
                raise TimeoutError(f"{samples[-1][1]} events are left after {PATIENCE:.0f} s")
            time.sleep(0.05)
    moving = [sample for sample in samples if sample[1] < samples[0][1]]
    (begin, first), (end, last) = moving[0], moving[-1]
    return (first - last) / (end - begin)


def post_read(folder: Path, batches: list[list[str]]) -> float:
    """Events a second into a server that only reads."""
    bodies = [_body(batch) for batch in batches]
    with _server(folder / "read.db") as url, httpx.Client(base_url=url, timeout=30) as client:
        begin = time.perf_counter()
        for body in bodies:
            client.post("/read", content=body).raise_for_status()
        return sum(map(len, batches)) / (time.perf_counter() - begin)


def post_bare(folder: Path, batches: list[list[str]]) -> float:
    """Events a second from one bare table into another."""
    events = sum(map(len, batches))
    with closing(bare_table(folder / "outgoing.db")) as table:
        table.execute("BEGIN")
        texts = [(text,) for batch in batches for text in batch]
        table.executemany("INSERT INTO event (body) VALUES (?)", texts)
        table.execute("COMMIT")
        with _server(folder / "bare.db") as url, httpx.Client(base_url=url, timeout=30) as client:
            begin = time.perf_counter()
            for first in range(1, events + 1, MAX_BATCH_EVENTS):
                _forward(table, client, first)
            return events / (time.perf_counter() - begin)


def _forward(table: sqlite3.Connection, client: httpx.Client, first: int) -> None:
    span = (first, first + MAX_BATCH_EVENTS - 1)
    where = "WHERE number BETWEEN ? AND ?"
    rows = table.execute(f"SELECT body FROM event {where} ORDER BY number", span).fetchall()
    client.post("/store", content=_body([body for (body,) in rows])).raise_for_status()
    table.execute(f"UPDATE event SET sent = 1 {where}", span)


def _body(batch: list[str]) -> bytes:
    return gzip.compress(("[" + ",".join(batch) + "]").encode(), GZIP_LEVEL)


@contextmanager
def _server(database: Path) -> Iterator[str]:
    told = database.with_suffix(".port")
    command = [sys.executable, "-m", "benchmarks.reader", str(database), str(told)]
    with Part("reader", command, database.with_suffix(".log"), ready=told.is_file):
        yield f"http://127.0.0.1:{told.read_text()}"
