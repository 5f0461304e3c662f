"""A relay's HTTP side with the inbox in memory and time that only moves when told."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from cloud_relay.config import Limits
from cloud_relay.inbox.fake import MemoryInbox
from cloud_relay.intake.endpoints import Intake
from cloud_relay.intake.identity import BearerTokens
from cloud_relay.intake.server import build
from cloud_relay.odoo.status import TargetStatus
from edge_contract.event import CloudEvent, DeviceEvent, cloud_event

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
GENERATION = UUID("00000000-0000-4000-8000-000000000001")
TOKENS = {"a": "token-of-site-a-000", "b": "token-of-site-b-000", "monitor": "token-of-monitor-0"}


@dataclass
class Time:
    """Moves only when told."""

    at: datetime = START
    tick: float = 1000.0

    def clock(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.tick

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.tick += seconds


def event(
    position: int,
    kind: str = "stock.moved",
    *,
    site: str = "a",
    device: str = "scanner-1",
    at: datetime = START,
    event_id: UUID | None = None,
    **data: Any,
) -> CloudEvent:
    if not data:
        data = {"barcode": "4006381333931", "quantity": "1", "from": "A1", "to": "B1"}
    event_id = event_id or uuid4()
    said = DeviceEvent.model_validate({"id": event_id, "kind": kind, "time": at, "data": data})
    return cloud_event(
        said, event_id=event_id, site=site, device=device, position=position, recorded=at
    )


def line(position: int, document: str = "WH/IN/00001", **more: Any) -> CloudEvent:
    return event(
        position,
        "transfer.line",
        document=document,
        barcode="4006381333931",
        quantity="1",
        **more,
    )


def body_of(*events: Any) -> bytes:
    plain = [
        item.model_dump(mode="json", exclude_none=True) if isinstance(item, CloudEvent) else item
        for item in events
    ]
    return json.dumps(plain).encode()


@dataclass
class Http:
    """The application under test and a client of it."""

    inbox: MemoryInbox
    intake: Intake
    client: httpx.AsyncClient
    time: Time

    async def post(
        self, body: bytes, site: str = "a", path: str = "/v1/batches", **headers: str
    ) -> httpx.Response:
        given = {
            "Authorization": f"Bearer {TOKENS[site]}",
            "Content-Type": "application/cloudevents-batch+json",
            "X-Edge-Agent": "agent-1",
            "X-Edge-Generation": str(GENERATION),
        }
        given.update({name.replace("_", "-"): value for name, value in headers.items()})
        given = {name: value for name, value in given.items() if value}
        return await self.client.post(path, content=body, headers=given)

    async def get(self, path: str, site: str = "a") -> httpx.Response:
        return await self.client.get(path, headers={"Authorization": f"Bearer {TOKENS[site]}"})

    async def stored(self) -> int:
        return sum(lag.counters.get("new", 0) for lag in await self.inbox.sites())


@dataclass
class Targets:
    """What intake asks of the appliers."""

    states: dict[str, TargetStatus] = field(default_factory=dict)

    def status(self, target: str) -> TargetStatus | None:
        return self.states.get(target)


Scene = Callable[[Http], Awaitable[None]]


class Relay:
    """What a test needs: events, bodies, and a fresh relay to play a scene against."""

    start = START
    generation = GENERATION
    event = staticmethod(event)
    line = staticmethod(line)
    body = staticmethod(body_of)
    new_time = staticmethod(Time)

    @staticmethod
    def play(scene: Scene, limits: Limits | None = None, inbox: Any = None) -> None:
        async def main() -> None:
            time = Time()
            kept = MemoryInbox() if inbox is None else inbox
            digests = {n: hashlib.sha256(t.encode()).digest() for n, t in TOKENS.items()}
            identity = BearerTokens({"a": digests["a"], "b": digests["b"]}, digests["monitor"])
            states = {
                "main": TargetStatus(target="main", state="ok", since=START),
                "other": TargetStatus(
                    target="other", state="stopped", since=START, code="went_back"
                ),
            }
            intake = Intake(
                kept,
                identity,
                {"a": "main", "b": "other"},
                limits or Limits(),
                Targets(states),
                time.clock,
                time.seconds,
            )
            transport = httpx.ASGITransport(build(intake))
            async with httpx.AsyncClient(transport=transport, base_url="http://relay") as client:
                await scene(Http(kept, intake, client, time))

        asyncio.run(main())


@pytest.fixture
def relay() -> Relay:
    return Relay()
