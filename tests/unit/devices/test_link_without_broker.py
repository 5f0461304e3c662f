"""The MQTT link without a broker: intake opens again by itself, and nothing is left uncounted."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from edge_agent.devices.mqtt.link import MqttLink
from edge_agent.devices.mqtt.packets import Publish
from edge_agent.devices.mqtt.session import Packet
from edge_agent.devices.presence.presence import Presence
from edge_agent.devices.settings import MqttSettings
from edge_agent.outbox.port import IntakeRefused

EVENT = b'{"kind":"scan.read","time":"2026-11-24T11:59:00Z","data":{"barcode":"1"}}'


class Connection:
    """What the link needs of a session, without a broker."""

    connected = session_present = True
    refused = 0

    def __init__(self) -> None:
        self.packets: deque[Packet] = deque()
        self.acknowledged: list[Packet] = []

    def acknowledge(self, packet: Packet) -> bool:
        self.acknowledged.append(packet)
        return packet.session is self  # type: ignore[comparison-overlap]  # stands for one

    def service(self) -> None:
        return


def test_messages_of_devices_that_are_not_followed_are_counted() -> None:
    presence = Presence()
    link = MqttLink(
        MqttSettings(), lambda _: [], presence, lambda: datetime(2026, 11, 24, 12, tzinfo=UTC)
    )
    for ignored in (0, 3, 3, 5):
        presence.ignored = ignored
        link._keep_books(Connection())  # type: ignore[arg-type]  # stands for one
    assert link.state().counters["untracked"] == 5
    link.stop()


def test_intake_opens_again_when_the_broker_lost_what_was_held() -> None:
    room: list[Exception] = [IntakeRefused("The disk is full.", "Free some room.")] * 2

    def append(burst: Sequence[Any]) -> list[Any]:
        if room:
            raise room.pop()
        assert not burst
        return []

    link = MqttLink(
        MqttSettings(), append, Presence(), lambda: datetime(2026, 11, 24, 12, tzinfo=UTC)
    )
    first, second = Connection(), Connection()
    said = Publish("wh/v1/h1/event", EVENT, len(EVENT), 1, 1, False)
    first.packets.append(Packet(first, said))  # type: ignore[arg-type]  # stands for one
    link._take_in(first, fresh=False)  # type: ignore[arg-type]
    assert link.intake[0] == "refused"
    # the broker was killed: it knows the session, and nothing of what was under way in it
    link._last = first  # type: ignore[assignment]
    link._welcome(second)  # type: ignore[arg-type]
    for still in ("refused", "refused", "open"):
        link._take_in(second, fresh=False)  # type: ignore[arg-type]
        assert link.intake[0] == still
        link._retry_at = 0.0
    link.stop()
    assert first.acknowledged == second.acknowledged == []
