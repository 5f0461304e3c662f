"""I4, I5 and I8 at the dock: what makes no sense is set aside, what is too much is refused aloud,
what has a wrong clock is corrected. The neighbours never notice."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from edge_agent.devices.presence.clock import ClockReading
from edge_agent.devices.presence.presence import Presence
from edge_agent.devices.simulate.handheld import Handheld
from edge_agent.outbox.port import IntakeRefused
from edge_contract.event import MAX_EVENT_BYTES
from edge_contract.mqtt import Feedback

#: Changes to a good scan, or whole payloads, and the code each is quarantined with.
BAD_INPUTS: list[tuple[str, bytes | dict[str, Any], str]] = [
    ("nothing", b"  ", "empty"),
    ("half a JSON", b'{"id": "', "malformed_json"),
    ("text", b"hello", "malformed_json"),
    ("a list", b"[1, 2]", "not_an_object"),
    ("nested deeply", b'{"data":' * 5000, "too_deep"),
    ("not UTF-8", b'{"id": "\xff\xfe"}', "not_utf8"),
    ("an unknown kind", {"kind": "transfer.lime"}, "unknown_kind"),
    ("a number for a quantity", {"data": {"quantity": 3}}, "bad_quantity"),
    ("a negative quantity", {"data": {"quantity": "-3"}}, "bad_quantity"),
    ("a huge quantity", {"data": {"quantity": "4006381333931"}}, "bad_quantity"),
    ("a misspelt field", {"data": {"qantity": "3"}}, "unknown_field"),
    ("a list for a barcode", {"data": {"barcode": ["1"]}}, "bad_value"),
    ("a missing time zone", {"time": "2026-11-24T10:00:00"}, "bad_time"),
    ("the year 1970", {"time": "1970-01-01T00:00:09Z"}, "implausible_time"),
    ("the year 2100", {"time": "2100-01-01T00:00:00Z"}, "implausible_time"),
    ("no id", {"id": None}, "missing_id"),
    ("10 MiB", b'{"id": "' + b"x" * (10 * 1024 * 1024), "too_large"),
]


def test_each_bad_input_is_quarantined_with_its_bytes_and_its_neighbours_pass(
    make_link: Any, make_careless: Any, outbox: Any, wire: Any, until: Any
) -> None:
    make_link()
    device = make_careless()
    sent, good = [], []
    for _, bad, _ in BAD_INPUTS:
        sent.append(bad if isinstance(bad, bytes) else wire(**bad)[1])
        identity, payload = wire()
        good.append(identity)
        device.publish(sent[-1])
        device.publish(payload)
    until(lambda: len(outbox.ids) == len(good), "the neighbours are stored")
    assert outbox.ids == good
    got = [(one.code, one.payload, one.size) for one in outbox.unreadable]
    assert got == [
        (code, payload[:MAX_EVENT_BYTES], len(payload))
        for (_, _, code), payload in zip(BAD_INPUTS, sent, strict=True)
    ]
    for one in outbox.unreadable:
        assert one.device == "h1"
        assert one.message.endswith("."), "a sentence"


def test_a_device_hears_what_is_wrong_and_stops_sending_it(
    make_link: Any, make_handheld: Any, outbox: Any, event: Any, until: Any
) -> None:
    make_link()
    with make_handheld() as handheld:
        bad = handheld.scan(event(data={"quantity": "-1"}))
        good = handheld.scan(event())
        handheld.wait_confirmed()
        assert handheld.confirmed == [good]
        said = handheld.quarantined[bad]
        assert (said.code, said.ok, said.tone) == ("bad_quantity", False, "bad")
        assert "greater than zero" in said.message


def test_a_device_that_uses_an_id_twice_hears_that_the_first_one_counts(
    make_link: Any, make_handheld: Any, outbox: Any, event: Any
) -> None:
    make_link()
    with make_handheld() as handheld:
        first = handheld.scan(event())
        handheld.wait_confirmed()
        handheld.scan(event(id=str(first), data={"quantity": "4"}))
        handheld.wait_confirmed()
        assert handheld.quarantined[first].code == "content_conflict"
    assert outbox.ids == [first]


def test_a_device_cannot_write_on_the_topic_of_another(
    make_link: Any, make_careless: Any, outbox: Any, wire: Any, until: Any
) -> None:
    make_link()
    thief = make_careless("h2")
    _, payload = wire()
    refused = [
        thief.publish(payload, "wh/v1/h1/event"),
        thief.publish(b'{"state": "offline"}', "wh/v1/h1/status", retain=True),
        thief.publish(b"{}", "wh/v1/h1/feedback"),
        thief.publish(b"{}", "wh/v1/agent/status", retain=True),
    ]
    identity, payload = wire()
    thief.publish(payload)
    until(lambda: outbox.ids, "its own scan is stored")
    assert outbox.ids == [identity]
    assert [one.device for one in outbox.readings] == ["h2"]
    until(lambda: set(refused) <= thief.answers.keys(), "the broker answered each")
    assert {thief.answers[mid] for mid in refused} == {"Not authorized"}


def _refusals(handheld: Handheld) -> list[Feedback]:
    return [said for said in handheld.feedback if said.stage == "refused"]


def test_a_full_outbox_refuses_aloud_and_everything_confirmed_arrives(
    make_link: Any, make_handheld: Any, outbox: Any, event: Any, until: Any
) -> None:
    link = make_link(receive_maximum=20)
    with make_handheld() as one, make_handheld("h2", window=50) as two:
        scans = [device.scan(event()) for _ in range(20) for device in (one, two)]
        one.wait_confirmed()
        two.wait_confirmed()
        outbox.refusal = IntakeRefused("The outbox is full.", "Restore the uplink.")
        scans += [device.scan(event()) for _ in range(100) for device in (one, two)]
        until(lambda: one.agent and one.agent.intake == "refused", "the agent says so")
        assert "outbox is full" in one.agent.reason
        until(lambda: _refusals(one) or _refusals(two), "and to the devices it came from")
        assert link.intake[0] == "refused"
        stored = set(outbox.ids)
        assert set(one.confirmed) | set(two.confirmed) <= stored, "no confirmation without storage"
        outbox.refusal = None
        one.wait_confirmed()
        two.wait_confirmed()
        until(lambda: one.agent.intake == "open", "open again")
    assert sorted(outbox.ids) == sorted(scans)
    assert set(one.confirmed) | set(two.confirmed) == set(scans)
    _in_order(outbox)


def _in_order(outbox: Any) -> None:
    """Each device's events lie in the order of its own numbers (I3)."""
    for device in ("h1", "h2"):
        events = [one.event for one in outbox.readings if one.device == device]
        numbers = [event.seq for event in events if event.seq is not None]
        assert numbers == sorted(numbers)


def test_scans_from_before_the_agent_are_not_overtaken(
    make_link: Any, make_handheld: Any, outbox: Any, event: Any
) -> None:
    with make_handheld() as handheld:
        scans = [handheld.scan(event()) for _ in range(100)]
        make_link()
        handheld.wait_confirmed()
    assert outbox.ids == scans


def test_a_flood_of_one_device_does_not_keep_another_waiting(
    make_link: Any, make_handheld: Any, make_careless: Any, outbox: Any, event: Any, until: Any
) -> None:
    make_link()
    flooding = make_careless("h2")
    with make_handheld() as handheld:
        for _ in range(5_000):
            flooding.publish(b"x" * 1000, qos=0)
        begin = time.monotonic()
        scan = handheld.scan(event())
        handheld.wait_confirmed()
        took = time.monotonic() - begin
    assert outbox.ids == [scan]
    assert took < 5


def test_presence_knows_who_is_there_and_who_is_at_risk(
    make_link: Any, make_handheld: Any, outbox: Any, event: Any, until: Any
) -> None:
    presence = Presence()
    make_link(presence=presence)
    with make_handheld(boot=7, waits_for_feedback=False):
        until(lambda: presence.online() == 1, "it is there")
        seen = presence.devices(datetime.now(UTC))[0]
        assert (seen.device, seen.boot, seen.at_risk) == ("h1", 7, True)
        assert presence.at_risk() == ("h1",)
    until(lambda: presence.online() == 0, "it is gone")
    until(lambda: len(outbox.readings) == 2, "both are on record")
    assert [one.event.data["status"] for one in outbox.readings] == ["online", "offline"]


def _clocks(presence: Presence) -> list[ClockReading]:
    return [one.clock for one in presence.devices(datetime.now(UTC)) if one.clock]


def test_a_clock_of_1970_loses_no_scan_once_it_was_measured(
    make_link: Any, make_handheld: Any, outbox: Any, event: Any, until: Any
) -> None:
    """A handheld without a battery starts in 1970, offline scans included."""
    presence = Presence()
    wrong = datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    make_link(presence=presence, status_interval_s=0.3)
    with make_handheld(clock=lambda: datetime.now(UTC) - wrong) as handheld:
        until(lambda: _clocks(presence), "its clock is measured")

        handheld.leave()
        scan = handheld.scan(event())
        scanned = datetime.now(UTC)
        handheld.rejoin()
        handheld.wait_confirmed()
        assert handheld.confirmed == [scan]
    (reading,) = [one for one in outbox.readings if one.event.id == scan]
    corrected = reading.event.time - timedelta(milliseconds=reading.clock_offset_ms)
    width = timedelta(milliseconds=reading.clock_uncertainty_ms)
    assert abs(corrected - scanned) <= width + timedelta(milliseconds=50)
    assert width < timedelta(seconds=3)


def test_a_raw_reading_without_an_id_is_stored_once_however_often_it_is_delivered(
    make_link: Any, make_careless: Any, outbox: Any, until: Any
) -> None:
    make_link()
    device = make_careless()
    raw = {
        "kind": "scan.read",
        "time": datetime.now(UTC).isoformat(),
        "data": {"barcode": "]C10110614141000415"},
    }
    for _ in range(2):
        device.publish(json.dumps(raw).encode())
    until(lambda: outbox.repeats == 1, "the second was known")
    (reading,) = outbox.readings
    assert reading.event.data["gs1"] == {
        "gtin": "10614141000415",
        "ais": {"01": "10614141000415"},
    }
