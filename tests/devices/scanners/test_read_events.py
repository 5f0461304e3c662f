"""What a read becomes: scan.read, or any event of the contract by the profile's own mapping."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from edge_agent.devices.scanners.events import event_of
from edge_agent.devices.scanners.payloads import read_payload
from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.reads import MappedEvent, ScannerRead, UnreadableFrame
from edge_contract.event import DeviceEvent

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)
GTIN = "04006381333931"
MOVE_ID = "0192f3b4-7a10-7c3e-9d6b-5a1e2f3c4d5e"
MOVES = {
    "format": "json",
    "read": {"id": "/uid", "time": "/ts", "time_format": "epoch-ms", "sequence": "/no"},
    "event": {
        "kind": "stock.moved",
        "data": {
            "barcode": "/item/ean",
            "quantity": "/item/qty",
            "from": "#/station",
            "to": "WH/Stock",
            "reason": "=/from the app",
        },
    },
}
MOVE = {
    "uid": MOVE_ID,
    "ts": 1_795_000_000_000,
    "no": 17,
    "station": "WH/Input",
    "item": {"ean": "4006381333931", "qty": 2.50},
}


def events(
    settings: dict[str, Any], payload: object, arrived: datetime = NOW, device: str = "app-1"
) -> list[DeviceEvent | UnreadableFrame]:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    found = read_payload(ScannerProfile.model_validate(settings), raw)
    return [
        event_of(device, one, arrived) if isinstance(one, ScannerRead | MappedEvent) else one
        for one in found
        if isinstance(one, ScannerRead | MappedEvent | UnreadableFrame)
    ]


def event(settings: dict[str, Any], payload: object, *args: Any) -> DeviceEvent:
    (found,) = events(settings, payload, *args)
    assert isinstance(found, DeviceEvent)
    return found


def refused(settings: dict[str, Any], payload: object) -> UnreadableFrame:
    (found,) = events(settings, payload)
    assert isinstance(found, UnreadableFrame)
    return found


def test_a_read_becomes_a_raw_scan_with_what_its_barcode_says() -> None:
    found = event({"format": "text"}, f"]C101{GTIN}10LOT7".encode())
    assert (found.kind, found.time) == ("scan.read", NOW)
    assert found.data["barcode"] == f"01{GTIN}10LOT7"
    assert found.data["symbology"] == "]C1"
    assert found.data["gs1"]["lot"] == "LOT7"


def test_the_symbology_decides_whether_data_is_gs1() -> None:
    assert event({"format": "text"}, b"]C110LOT7").data["gs1"]["lot"] == "LOT7"
    assert "gs1" not in event({"format": "text"}, b"]C010LOT7").data
    assert "gs1" not in event({"format": "text"}, b"10LOT7").data


def test_a_barcode_the_contract_does_not_take_is_set_aside_in_a_sentence() -> None:
    found = refused({"format": "text"}, b"A\x1bB")
    assert found.code == "bad_value"
    assert "barcode" in found.message


def test_half_a_character_is_set_aside_in_a_sentence() -> None:
    found = refused({"format": "json"}, b'{"data":"\\ud83d"}')
    assert found.code == "bad_value"
    assert found.message.endswith(".")


TIMED = {"format": "json", "read": {"time": "/t"}}


def check_ids(
    make: Callable[[str, ScannerRead | MappedEvent, datetime], DeviceEvent | UnreadableFrame],
) -> None:
    def one(payload: dict[str, Any], arrived: datetime, device: str = "app-1") -> UUID | None:
        (read,) = read_payload(ScannerProfile.model_validate(TIMED), json.dumps(payload).encode())
        assert isinstance(read, ScannerRead)
        found = make(device, read, arrived)
        assert isinstance(found, DeviceEvent)
        return found.id

    read = {"data": "LOT-7", "t": "2026-11-20T08:00:00Z"}
    assert one(read, NOW) == one(read, LATER)  # a resend is the same event
    assert one(read, NOW) != one({**read, "t": "2026-11-20T08:00:01Z"}, NOW)
    assert one(read, NOW) != one({**read, "data": "LOT-8"}, NOW)
    assert one(read, NOW) != one(read, NOW, "app-2")


def test_a_resend_is_one_event_and_two_reads_are_two() -> None:
    check_ids(event_of)


def test_ids_of_arrival_or_of_the_barcode_alone_are_caught_by_the_check_above() -> None:
    def by_arrival(
        device: str, read: ScannerRead | MappedEvent, arrived: datetime
    ) -> DeviceEvent | UnreadableFrame:
        found = event_of(device, read, arrived)
        assert isinstance(found, DeviceEvent)
        return found.model_copy(update={"id": UUID(int=int(arrived.timestamp()))})

    def by_barcode(
        device: str, read: ScannerRead | MappedEvent, arrived: datetime
    ) -> DeviceEvent | UnreadableFrame:
        found = event_of(device, read, arrived)
        assert isinstance(found, DeviceEvent)
        barcode = sha256(found.data["barcode"].encode()).digest()
        return found.model_copy(update={"id": UUID(bytes=barcode[:16])})

    for broken in (by_arrival, by_barcode):
        with pytest.raises(AssertionError):
            check_ids(broken)


def test_a_read_that_tells_nothing_of_its_own_is_another_event_at_another_time() -> None:
    plain = {"format": "text"}
    assert event(plain, b"LOT-7", NOW).id == event(plain, b"LOT-7", NOW).id
    assert event(plain, b"LOT-7", NOW).id != event(plain, b"LOT-7", LATER).id


def test_the_devices_own_id_makes_a_read_one_event_whatever_else_changes() -> None:
    by_id = {"format": "json", "read": {"id": "/i", "time": "/t"}}
    first = event(by_id, {"data": "A", "i": 5, "t": "2026-11-20T08:00:00Z", "try": 1})
    again = event(by_id, {"data": "A", "i": 5, "t": "2026-11-20T08:00:00Z", "try": 2}, LATER)
    assert first.id == again.id
    assert first.id != event(by_id, {"data": "A", "i": 6, "t": "2026-11-20T08:00:00Z"}).id


def test_an_apps_own_message_is_an_event_of_the_contract() -> None:
    found = event(MOVES, MOVE)
    assert (found.kind, found.id, found.seq) == ("stock.moved", UUID(MOVE_ID), 17)
    assert found.time == datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC)
    assert {key: value for key, value in found.data.items() if key != "gs1"} == {
        "barcode": "4006381333931",
        "quantity": "2.5",
        "from": "WH/Input",
        "to": "WH/Stock",
        "reason": "/from the app",
    }


def test_an_id_that_is_no_uuid_still_makes_one_event_of_a_resend() -> None:
    first, again = (event(MOVES, {**MOVE, "uid": "A-17"}, at) for at in (NOW, LATER))
    assert first.id == again.id
    assert first.id != event(MOVES, {**MOVE, "uid": "A-18"}).id
    assert first.id != event(MOVES, {**MOVE, "uid": "A-17"}, NOW, "app-2").id


def test_lists_are_mapped_line_by_line() -> None:
    packing = {
        "format": "json",
        "read": {"id": "/uid"},
        "event": {
            "kind": "package.packed",
            "data": {
                "document": "/order",
                "package": "/box",
                "lines": {"each": "/content", "barcode": "/c", "quantity": "/n", "lot": "/l"},
            },
        },
    }
    content = [{"c": f"01{GTIN}10L1", "n": 1}, {"c": "4006381333931", "n": "3", "l": "L2"}]
    found = event(packing, {"uid": MOVE_ID, "order": "OUT/7", "box": "BOX-1", "content": content})
    lines = found.data["lines"]
    assert [line["quantity"] for line in lines] == ["1", "3"]
    assert [line.get("lot") for line in lines] == [None, "L2"]
    assert lines[0]["gs1"]["lot"] == "L1"


def test_a_mapped_scan_is_read_by_its_symbology() -> None:
    scans = {
        "format": "json",
        "event": {"kind": "scan.read", "data": {"barcode": "/b", "symbology": "/s"}},
    }
    assert event(scans, {"b": "10LOT7", "s": "]C1"}).data["gs1"]["lot"] == "LOT7"
    assert "gs1" not in event(scans, {"b": "10LOT7", "s": "]C0"}).data


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"uid": None}, "missing_id"),
        ({"uid": {}}, "bad_value"),
        ({"ts": "soon"}, "bad_time"),
        ({"item": {"ean": "4006381333931", "qty": 0}}, "bad_quantity"),
        ({"item": {"ean": "4006381333931", "qty": "many"}}, "bad_quantity"),
        ({"item": {"ean": "4006381333931", "qty": 1e-9}}, "bad_quantity"),
        ({"item": {"ean": "4006381333931"}}, "bad_value"),
        ({"item": {"ean": 4006381333931, "qty": 1}}, "bad_value"),
        ({"station": None}, "missing_field"),
        ({"station": ["WH"]}, "bad_value"),
    ],
)
def test_a_message_that_does_not_fit_is_set_aside_in_a_sentence(
    change: dict[str, Any], code: str
) -> None:
    found = refused(MOVES, {**MOVE, **change})
    assert found.code == code, found.message
    assert found.message.endswith(".")
    assert json.loads(found.raw)["no"] == 17


def test_a_whole_number_of_the_contract_stays_one() -> None:
    labels = {
        "format": "json",
        "read": {"id": "/uid"},
        "event": {
            "kind": "label.printed",
            "data": {"printer": "zebra-1", "copies": "/copies", "proof": 0},
        },
    }
    assert event(labels, {"uid": MOVE_ID, "copies": 3}).data["copies"] == 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"event": {"kind": "stock.moved", "data": {}}, "format": "json"}, "has an effect in Odoo"),
        ({"event": {"kind": "scan.read", "data": {}}}, "needs a JSON format"),
        ({"event": {"kind": "stock.lost", "data": {}}, "format": "json"}, "Input should be"),
        (
            {"event": {"kind": "scan.read", "data": {"lines": {"each": "x"}}}, "format": "json"},
            "JSON pointer to a list",
        ),
        (
            {"event": {"kind": "scan.read", "data": {"barcode": "/a~"}}, "format": "json"},
            "~ is written ~0",
        ),
        (
            {"event": {"kind": "scan.read", "data": {"barcode": 1.5}}, "format": "json"},
            "must be a text",
        ),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_in_a_sentence(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        ScannerProfile.model_validate(settings)
