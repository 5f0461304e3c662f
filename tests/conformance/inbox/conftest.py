"""The stores that the conformance suite runs against, and a maker of events.

A further store joins by a line in ``STORES``.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest

from cloud_relay.inbox.fake import MemoryInbox
from cloud_relay.inbox.port import Arrival, Inbox, Retention
from cloud_relay.inbox.store import SqliteInbox
from edge_contract.batch import Heartbeat
from edge_contract.event import CloudEvent, DeviceEvent, cloud_event

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NAMESPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
RETENTION = Retention(events=timedelta(days=90), trace=timedelta(days=30), rows_per_prune=3)


async def open_memory(folder: Path) -> Inbox:
    return MemoryInbox(retention=RETENTION)


async def open_sqlite(folder: Path) -> Inbox:
    return await SqliteInbox.open(folder / "inbox.db", retention=RETENTION)


STORES: dict[str, Callable[[Path], Awaitable[Inbox]]] = {
    "memory": open_memory,
    "sqlite": open_sqlite,
}


class Maker:
    """Makes events by short names: the same name is the same id everywhere."""

    noon = NOON

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}

    def id(self, name: str) -> UUID:
        return uuid5(NAMESPACE, name)

    def at(self, minutes: float) -> datetime:
        return NOON + timedelta(minutes=minutes)

    def event(
        self,
        name: str,
        kind: str = "transfer.line",
        device: str = "scanner-1",
        minutes: float = -10,
        position: int | None = None,
        outbox: str = "a",
        offset_ms: int | None = None,
        **data: Any,
    ) -> CloudEvent:
        if position is None:
            position = self._positions.get(outbox, 0) + 1
            self._positions[outbox] = position
        happened = self.at(minutes)
        return cloud_event(
            DeviceEvent(id=self.id(name), kind=kind, time=happened, data=data),
            event_id=self.id(name),
            site="anywhere",
            device=device,
            position=position,
            recorded=happened + timedelta(seconds=1),
            clock_offset_ms=offset_ms,
        )

    def line(self, name: str, document: str = "OUT/1", **rest: Any) -> CloudEvent:
        quantity = rest.pop("quantity", "1")
        return self.event(
            name, document=document, barcode="4006381333931", quantity=quantity, **rest
        )

    def count(self, name: str, **rest: Any) -> CloudEvent:
        return self.event(
            name, "count.recorded", location="A1", barcode="4006381333931", quantity="4", **rest
        )

    def reading(self, name: str, **rest: Any) -> CloudEvent:
        return self.event(name, "scan.read", barcode="4006381333931", **rest)

    def takes_back(self, name: str, other: str, **rest: Any) -> CloudEvent:
        return self.event(name, "event.reversed", event=str(self.id(other)), reason="slip", **rest)

    def arrival(
        self,
        *events: CloudEvent,
        site: str = "north",
        target: str = "company",
        outbox: str = "a",
        minutes: float = 0,
    ) -> Arrival:
        return Arrival(
            site=site,
            target=target,
            agent="agent",
            generation=self.id(f"generation {outbox}"),
            events=events,
            received=self.at(minutes),
        )

    def heartbeat(
        self, boot: str = "first", minutes: float = 0, outbox: str = "a", **rest: Any
    ) -> Heartbeat:
        said: dict[str, Any] = {
            "agent": "agent",
            "generation": self.id(f"generation {outbox}"),
            "boot": self.id(f"boot {boot}"),
            "version": "1",
            "time": self.at(minutes),
            "newest_position": 0,
            "stored": 0,
            "unrelayed": 0,
            "intake": "open",
        }
        return Heartbeat(**(said | rest))


@pytest.fixture
def make() -> Maker:
    return Maker()


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(params=STORES)
def inbox(
    request: pytest.FixtureRequest, runner: asyncio.Runner, tmp_path: Path
) -> Iterator[Inbox]:
    store = runner.run(STORES[request.param](tmp_path))
    yield store
    runner.run(store.close())


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the tests of this folder that are coroutines, on the loop that opened their inbox."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    runner = pyfuncitem.funcargs.get("runner") or pyfuncitem._request.getfixturevalue("runner")
    names = pyfuncitem._fixtureinfo.argnames
    runner.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True
