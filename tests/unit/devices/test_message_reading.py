import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edge_agent.devices.links import Tally
from edge_agent.devices.mqtt.packets import Publish
from edge_agent.devices.mqtt.reading import MessageReader
from edge_agent.devices.presence.presence import Presence
from edge_agent.outbox.port import Reading, Unreadable

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def reader(presence: Presence | None = None) -> MessageReader:
    def clock() -> datetime:
        return NOON

    tally = Tally("mqtt", "mqtt", clock)
    return MessageReader(presence or Presence(), clock, tally, timedelta(days=400))


def said(topic: str, payload: Any, *, retained: bool = False) -> Publish:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Publish(topic, data, len(data), 1, 1, retained)


def one(items: tuple[Reading | Unreadable, ...]) -> Reading | Unreadable:
    (item,) = items
    return item


EVENT = {"kind": "scan.read", "time": "2026-11-24T11:59:00Z", "data": {"barcode": "1"}}


def test_a_defect_of_the_agent_sets_one_payload_aside_and_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Presence):
        def heard_event(self, *_: Any, **__: Any) -> None:
            raise RuntimeError("a defect")

    item = one(reader(Broken()).read(said("wh/v1/h1/event", EVENT), fresh=True))
    assert isinstance(item, Unreadable)
    assert (item.code, item.device) == ("agent_fault", "h1")
    assert "a defect" in item.message
    assert "RuntimeError" in caplog.text


def test_a_status_is_stored_when_it_is_a_change() -> None:
    reads = reader()
    first = one(reads.read(said("wh/v1/h1/status", {"state": "online"}), fresh=True))
    again = reads.read(said("wh/v1/h1/status", {"state": "online"}), fresh=True)
    assert isinstance(first, Reading)
    assert first.event.kind == "device.state"
    assert again == ()


def test_a_status_that_cannot_be_read_is_set_aside_once() -> None:
    reads = reader()
    item = one(reads.read(said("wh/v1/h1/status", {"state": "asleep"}), fresh=True))
    assert isinstance(item, Unreadable)
    assert item.code == "bad_status"
    assert reads.read(said("wh/v1/h1/status", {"state": "asleep"}, retained=True), fresh=True) == ()


def test_a_status_under_a_name_that_no_event_may_bear_is_set_aside() -> None:
    presence = Presence()
    reads = reader(presence)
    for name in ("Scanner 7", "UPPER", "x" * 64, ""):
        item = one(reads.read(said(f"wh/v1/{name}/status", {"state": "online"}), fresh=True))
        assert isinstance(item, Unreadable), name
        assert item.code == "bad_device"
    told_again = said("wh/v1/UPPER/status", {"state": "online"}, retained=True)
    assert reads.read(told_again, fresh=True) == ()
    assert presence.devices(NOON) == []


def test_the_agents_own_status_and_a_cleared_one_are_nothing() -> None:
    reads = reader()
    assert reads.read(said("wh/v1/agent/status", {"state": "online"}), fresh=True) == ()
    assert reads.read(said("wh/v1/h1/status", b""), fresh=True) == ()


def test_another_topic_is_set_aside() -> None:
    item = one(reader().read(said("wh/v2/h1/event", EVENT), fresh=True))
    assert isinstance(item, Unreadable)
    assert item.code == "bad_device"
