"""Events and clocks for the outbox's tests."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest

from edge_agent.outbox.port import Reading, Unreadable
from edge_contract.event import DeviceEvent

START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


class Shop:
    """Makes what a test needs; the same every time."""

    def __init__(self) -> None:
        self.now = START
        self.random = random.Random(1)

    def clock(self) -> datetime:
        return self.now

    def pass_time(self, **spent: float) -> None:
        self.now += timedelta(**spent)

    def uuid(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)

    def line(
        self,
        device: str = "hh-01",
        document: str | None = "WH/OUT/00012",
        *,
        event: UUID | None = None,
        quantity: str = "3",
        seq: int | None = None,
    ) -> Reading:
        """A scan of a document's line, or an ad-hoc move when there is no document."""
        data: dict[str, Any] = {"barcode": "4006381333931", "quantity": quantity}
        data |= {"from": "WH-STOCK-A1", "to": "WH-OUTPUT"}
        if document is not None:
            data["document"] = document
        kind = "stock.moved" if document is None else "transfer.line"
        content = {"id": event or self.uuid(), "kind": kind, "time": self.now, "seq": seq}
        return Reading(device, DeviceEvent.model_validate(content | {"data": data}), self.now)

    def raw(self, device: str = "hh-01") -> Reading:
        content = {"kind": "scan.read", "time": self.now, "data": {"barcode": "4006381333931"}}
        return Reading(device, DeviceEvent.model_validate(content), self.now, 250, 20)

    def noise(self, device: str = "hh-01", payload: bytes = b"\xff{") -> Unreadable:
        return Unreadable(
            device,
            f"wh/v1/{device}/event",
            payload,
            len(payload),
            "not_json",
            "The payload is not JSON. Correct the program on the device.",
            self.now,
        )


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A directory for databases: in memory where there is one, because syncing it is free."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def make_shop() -> Callable[[], Shop]:
    return Shop
