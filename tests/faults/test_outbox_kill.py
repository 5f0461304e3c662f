"""``kill -9`` at every named place of a transaction and in between: what was confirmed is stored,
once, in its device's order. Two broken variants show that the check can fail."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edge_agent.outbox.port import Row
from edge_agent.outbox.store import SqliteOutbox
from edge_contract import killpoint

PROGRAM = Path(__file__).with_name("outbox_device.py")
EVENTS = 600


def load_program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("outbox_device", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


device: Any = load_program()


def shift(
    path: Path, acked: set[int], *, place: str = "", after_acks: int = 0, variant: str = "none"
) -> int:
    """One life of the sending process; returns its exit status. ``acked`` grows."""
    burst = random.Random(len(acked)).randint(1, 40)
    known = ",".join(map(str, sorted(acked)))
    command = [sys.executable, str(PROGRAM), str(path), str(EVENTS), str(burst), variant, known]
    environment = dict(os.environ) | {killpoint.VARIABLE: place}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        for heard, line in enumerate(process.stdout, 1):
            word, _, number = line.partition(" ")
            if word == "ack":
                acked.add(int(number))
            if after_acks and heard == after_acks:
                process.kill()
        return process.wait(60)


def stored_rows(path: Path) -> tuple[list[Row], Any, dict[str, int]]:
    async def read() -> tuple[list[Row], Any, dict[str, int]]:
        outbox = await SqliteOutbox.open(
            device.settings(path), site="s1", clock=lambda: device.START
        )
        try:
            rows = await outbox.rows(stage=None, after=0, limit=10 * EVENTS)
            return rows, await outbox.lag(), await outbox.counters()
        finally:
            await outbox.close()

    return asyncio.run(read())


def check(path: Path, acked: set[int]) -> None:
    rows, lag, counters = stored_rows(path)
    numbers = [row.event.seq for row in rows]
    assert [int(row.event.position) for row in rows] == list(range(1, len(rows) + 1))
    assert acked <= set(numbers), f"lost: {sorted(acked - set(numbers))[:5]}"
    twice = [number for number, times in Counter(numbers).items() if times > 1]
    assert twice == [], f"stored twice: {twice[:5]}"
    for name in ("hh-0", "hh-1"):
        own = [row.event.seq for row in rows if row.device == name]
        assert own == sorted(own), f"out of order: {name}"
    stages = Counter(row.stage for row in rows)
    assert (lag.unrelayed, counters["newest"]) == (stages["stored"], len(rows))
    assert lag.stored == stages["stored"] + stages["relayed"]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    with device.unsynced(tmp_path) as directory:
        yield directory


@pytest.fixture
def kills() -> list[tuple[str, int]]:
    """Named places with the count at which to die, then deaths after so many confirmations."""
    places = ("outbox.before_begin", "outbox.before_commit", "outbox.after_commit")
    named = [(f"{place}:{count}", 0) for place in places for count in (3, 6)]
    return named + [("", after) for after in (1, 23, 57)]


def test_a_confirmed_event_survives_every_kill_and_is_stored_once(
    memory: Path, kills: list[tuple[str, int]]
) -> None:
    path, acked = memory / "outbox.db", set[int]()
    for place, after_acks in kills:
        assert shift(path, acked, place=place, after_acks=after_acks) == -9
        assert len(acked) < EVENTS
    assert shift(path, acked) == 0
    assert acked == set(range(EVENTS))
    check(path, acked)


def test_confirming_before_the_commit_is_caught(memory: Path) -> None:
    path, acked = memory / "outbox.db", set[int]()
    assert shift(path, acked, place="outbox.before_commit:4", variant="acks-first") == -9
    with pytest.raises(AssertionError, match="lost"):
        check(path, acked)


def test_not_knowing_a_resend_is_caught(memory: Path) -> None:
    path, acked = memory / "outbox.db", set[int]()
    assert shift(path, acked, place="outbox.after_commit:4") == -9
    assert shift(path, acked, variant="never-new") == 0
    with pytest.raises(AssertionError, match="stored twice"):
        check(path, acked)
