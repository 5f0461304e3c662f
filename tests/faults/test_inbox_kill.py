"""The relay's inbox is killed (SIGKILL) at its named points, and loses and doubles nothing."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cloud_relay.inbox.store import SqliteInbox
from edge_contract import killpoint

BATCHES = 4
CHILD = Path(__file__).with_name("inbox_child.py")
ROOT = Path(__file__).parents[2]


def the_child() -> ModuleType:
    spec = importlib.util.spec_from_file_location("inbox_child", CHILD)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def killed_at(point: str, database: Path, *words: str) -> dict[str, int]:
    """Run the child until it dies at ``point``; how many batches it confirmed."""
    done = subprocess.run(
        [sys.executable, str(CHILD), str(database), str(BATCHES), *words],
        env={**os.environ, killpoint.VARIABLE: point, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    return {
        said: max((int(number) for word, number in lines if word == said), default=0)
        for said in ("stored", "settled")
    }


@pytest.mark.parametrize(
    ("point", "confirmed", "stored", "settled"),
    [
        ("inbox.before_commit:3", {"stored": 2, "settled": 2}, 2, 2),
        ("inbox.after_commit:3", {"stored": 2, "settled": 2}, 3, 2),
        ("inbox.settle_before_commit:3", {"stored": 3, "settled": 2}, 3, 2),
        ("inbox.settle_after_commit:3", {"stored": 3, "settled": 2}, 3, 3),
    ],
)
def test_a_batch_and_its_verdicts_are_there_whole_or_not_at_all(
    point: str, confirmed: dict[str, int], stored: int, settled: int, tmp_path: Path
) -> None:
    child = the_child()
    database = tmp_path / "inbox.db"
    assert killed_at(point, database) == confirmed

    async def afterwards() -> None:
        inbox = await SqliteInbox.open(database)
        size = child.SIZE
        entries = [
            await inbox.entry("scanner-1", child.event(position).id)
            for position in range(1, BATCHES * size + 1)
        ]
        there = [entry for entry in entries if entry is not None]
        assert entries[: stored * size] == there
        assert len(there) == stored * size
        applied = [entry for entry in there if entry.status == "applied"]
        assert there[: settled * size] == applied
        told = {item.outcome.event for item in await inbox.downlink("north", 0, 99)}
        assert told == {entry.event.id for entry in applied}
        assert await inbox.watermark("company") == {"claim": str(settled)}
        again = [await inbox.store(child.batch(number)) for number in range(1, BATCHES + 1)]
        assert [reply.new for reply in again] == [0] * stored + [size] * (BATCHES - stored)
        assert again[-1].stored_through == BATCHES * size
        assert len(await inbox.ready("company", child.NOON, 99)) == (BATCHES - settled) * size
        await inbox.close()

    asyncio.run(afterwards())


def test_a_relay_that_confirms_before_it_has_stored_is_caught(tmp_path: Path) -> None:
    child = the_child()
    database = tmp_path / "inbox.db"
    confirmed = killed_at("inbox.before_commit:3", database, "early")["stored"]

    async def there() -> int:
        inbox = await SqliteInbox.open(database)
        try:
            positions = range(1, confirmed * child.SIZE + 1)
            found = [await inbox.entry("scanner-1", child.event(p).id) for p in positions]
            return sum(entry is not None for entry in found)
        finally:
            await inbox.close()

    assert asyncio.run(there()) < confirmed * child.SIZE
