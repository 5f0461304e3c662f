"""A salvage that is cut short: the next start goes on with it, and never begins an empty outbox."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from edge_agent.outbox import salvage
from edge_agent.outbox.settings import OutboxSettings
from edge_agent.outbox.store import SqliteOutbox
from edge_contract import killpoint
from edge_contract.errors import NeedsOperator

EVENTS = 12


class Killed(BaseException):
    """Stands for kill -9."""


def opened(settings: OutboxSettings, shop: Any) -> int:
    """How many events are pending after opening the outbox once."""

    async def count() -> int:
        outbox = await SqliteOutbox.open(settings, site="s1", clock=shop.clock)
        try:
            return len(await outbox.pending(100))
        finally:
            await outbox.close()

    return asyncio.run(count())


@pytest.fixture
def damaged(disk: Path, shop: Any) -> OutboxSettings:
    """An outbox with :data:`EVENTS` events and one wrong letter in its schema."""
    settings = OutboxSettings(path=disk / "outbox.db", min_free_bytes=1 << 20)

    async def fill() -> None:
        outbox = await SqliteOutbox.open(settings, site="s1", clock=shop.clock)
        await outbox.append([shop.line(device=f"hh-{number:02d}") for number in range(EVENTS)])
        await outbox.close()

    asyncio.run(fill())
    content = settings.path.read_bytes()
    settings.path.write_bytes(content.replace(b"    lane     TEXT,", b"    lame     TEXT,", 1))
    return settings


@pytest.mark.parametrize("place", ["copying", "salvage.complete", "salvage.set_aside"])
def test_a_salvage_that_is_killed_anywhere_is_finished_at_the_next_start(
    damaged: OutboxSettings, shop: Any, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    with monkeypatch.context() as killing:

        def die_at(name: str) -> None:
            if name == place:
                raise Killed

        def die(*_: object) -> None:
            raise Killed

        killing.setattr(killpoint, "reached", die_at)
        if place == "copying":
            killing.setattr(salvage, "_copy", die)
        with pytest.raises(Killed):
            salvage.salvage(damaged.path)
    assert opened(damaged, shop) == EVENTS


def test_without_its_second_half_a_killed_salvage_leaves_an_empty_outbox(
    damaged: OutboxSettings, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die_at(name: str) -> None:
        if name == "salvage.set_aside":
            raise Killed

    with monkeypatch.context() as killing:
        killing.setattr(killpoint, "reached", die_at)
        with pytest.raises(Killed):
            salvage.salvage(damaged.path)
    monkeypatch.setattr("edge_agent.outbox.opening.finish", lambda _path: None)
    assert opened(damaged, shop) == 0


def test_a_disk_too_full_to_salvage_on_loses_nothing_and_says_what_to_do(
    damaged: OutboxSettings, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(salvage, "_copy", full)
        with pytest.raises(NeedsOperator, match=r"cannot be saved beside it .*Free as much room"):
            opened(damaged, shop)
    assert opened(damaged, shop) == EVENTS


def test_a_list_of_devices_that_breaks_off_stops_no_salvage(
    damaged: OutboxSettings, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    readable = salvage._readable

    def breaks_off(connection: sqlite3.Connection, sql: str, *values: object) -> Any:
        return iter(()) if "FROM device" in sql else readable(connection, sql, *values)

    monkeypatch.setattr(salvage, "_readable", breaks_off)
    assert opened(damaged, shop) == EVENTS
