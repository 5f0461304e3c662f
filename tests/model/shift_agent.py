"""An agent of the site, and its way to the relay.

Everything is the product's own: the outbox on disk, intake's reading and answers, the uplink's
machine and driver. Only MQTT is replaced: :meth:`AgentHost.take_in` does what the broker link does
with a burst.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import httpx

from edge_agent.agent import Agent, Identity
from edge_agent.devices.intake import read_event
from edge_agent.devices.mqtt.feedback import answer
from edge_agent.outbox.settings import OutboxSettings
from edge_agent.outbox.store import SqliteOutbox
from edge_agent.sync.actions import Limits, Send, Wait
from edge_agent.sync.client import HttpRelay, Timeouts
from edge_contract import killpoint
from edge_contract.mqtt import Feedback, event_topic
from tests.model.shift_process import Crash, WorldClock
from tests.model.shift_relay import RelayHost

#: Deliberately few in a batch, so that a shift takes many.
UPLINK_EVENTS = 4


class Line(httpx.AsyncBaseTransport):
    """The way from an agent to the relay."""

    def __init__(self, relay: RelayHost) -> None:
        self._relay = relay
        self.cut = False
        self.lose_answers = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.cut:
            raise httpx.ConnectError("The line is cut.")
        try:
            response = await httpx.ASGITransport(self._relay.app).handle_async_request(request)
        except Crash as crash:
            self._relay.died = True
            raise httpx.ReadError(f"The relay died at {crash}.") from None
        if self.lose_answers:
            self.lose_answers -= 1
            raise httpx.ReadError("The answer is lost.")
        return response


class AgentHost:
    """One agent with its outbox; ``site`` is its name too."""

    def __init__(self, site: str, folder: Path, relay: RelayHost, clock: WorldClock) -> None:
        self.site = site
        self.line = Line(relay)
        self.bad_tones: list[tuple[str, UUID | None, str]] = []
        """(device, event, code) of the second tones that were bad."""
        self._relay = relay
        self._clock = clock
        self._settings = OutboxSettings(path=folder / f"{site}.db", min_free_bytes=1 << 20)

    async def start(self) -> None:
        self.outbox = await SqliteOutbox.open(self._settings, site=self.site, clock=self._clock)
        self._http = HttpRelay(
            "http://relay",
            self.site,
            lambda: self.site,
            timeouts=Timeouts(poll=0),
            transport=self.line,
        )
        self.agent = Agent(
            Identity(self.site, self.site, "0"),
            self.outbox,
            self._http,
            clock=self._clock,
            monotonic=self._clock.seconds,
            draw=lambda: 0.0,
            limits=Limits(events=UPLINK_EVENTS, linger_s=0.0, spacing_s=0.0),
        )
        self.agent.tell = self._tell
        await self.agent.prepare()

    async def die(self) -> None:
        """Nothing is written any more; what was committed is what the next life finds."""
        await self.outbox._writer.close()
        await self._http.close()

    async def crash(self) -> None:
        await self.die()
        await self.start()

    def take_in(
        self, burst: Sequence[tuple[str, bytes]], hear: Callable[[str, Feedback], None]
    ) -> None:
        """Store (device, payload) pairs in one commit, then let each device hear the answer."""
        items = [
            read_event(event_topic(device), payload, self._clock(), lambda *_: None)
            for device, payload in burst
        ]
        killpoint.reached("intake.before_append")
        appended = self.agent.append_blocking(items)
        killpoint.reached("intake.after_commit")
        for item, stored in zip(items, appended, strict=True):
            hear(item.device, Feedback.model_validate_json(answer(item, stored, None)))

    @staticmethod
    def event_of(payload: bytes) -> UUID:
        """The id of an event as its device published it."""
        return UUID(json.loads(payload)["id"])

    async def sync(self, batches: int) -> None:
        """Send at most so many batches; stops when there is nothing to send or no way."""
        uplink = self.agent.uplink
        assert uplink is not None
        uplink.appended()
        uplink.beat_due()
        tries = 0
        while tries < batches:
            action = uplink.machine.next(self._clock.seconds())
            if isinstance(action, Wait):
                return
            tries += isinstance(action, Send)
            await uplink.step()
            if uplink.machine.link == "down":
                return

    async def listen(self) -> None:
        """Read the downlink to its end."""
        downlink = self.agent.downlink
        assert downlink is not None
        while await downlink.step() == 0.0 and downlink.trouble is None:
            pass

    def _tell(self, device: str, feedback: Feedback) -> None:
        if not feedback.ok:
            self.bad_tones.append((device, feedback.event, feedback.code))
