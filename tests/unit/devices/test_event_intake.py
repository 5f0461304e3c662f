import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.devices.complaints import COMPLAINTS, claimed_id
from edge_agent.devices.intake import read_event
from edge_agent.devices.presence.clock import ClockReading
from edge_agent.outbox.port import Reading, Unreadable
from edge_contract.event import MAX_EVENT_BYTES

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
ID = "01938f2e-0000-7000-8000-000000000001"
TOPIC = "wh/v1/h1/event"


def scan(**changes: Any) -> bytes:
    data = {"document": "WH/OUT/1", "barcode": "4006381333931", "quantity": "3"}
    event = {"id": ID, "kind": "transfer.line", "time": "2026-11-24T09:59:00Z", "data": data}
    data |= changes.pop("data", {})
    event |= changes
    return json.dumps({key: value for key, value in event.items() if value is not None}).encode()


def read(payload: bytes, topic: str = TOPIC, **options: Any) -> Reading | Unreadable:
    clock = options.pop("clock", None)
    return read_event(topic, payload, options.pop("arrived", NOW), lambda *_: clock, **options)


def good(payload: bytes, **options: Any) -> Reading:
    item = read(payload, **options)
    assert isinstance(item, Reading), item
    return item


def bad(payload: bytes, **options: Any) -> Unreadable:
    item = read(payload, **options)
    assert isinstance(item, Unreadable), item
    return item


def test_a_good_scan_becomes_a_reading_of_the_topics_device() -> None:
    reading = good(scan())
    assert (reading.device, reading.event.id, reading.recorded) == ("h1", UUID(ID), NOW)
    assert (reading.clock_offset_ms, reading.clock_uncertainty_ms) == (None, None)


@pytest.mark.parametrize(
    ("payload", "code", "says"),
    [
        (b"", "empty", "empty"),
        (b"{", "malformed_json", "not JSON"),
        (b"null", "not_an_object", "not an object"),
        (b'{"a":' * 1000, "too_deep", "nested deeper"),
        (b'{"a": "\xc3("}', "not_utf8", "not UTF-8"),
        (scan(kind="transfer.lime"), "unknown_kind", "transfer.line"),
        (scan(kind=None), "missing_field", "kind is missing"),
        (scan(id=None), "missing_id", "needs an id"),
        (scan(id="7"), "bad_value", "id: "),
        (scan(seq=10**15), "bad_value", "seq: "),
        (scan(seq=True), "bad_value", "seq: "),
        (scan(extra=1), "unknown_field", "extra is not known"),
        (scan(data={"qantity": "3"}), "unknown_field", "qantity is not known"),
        (scan(data={"document": None}), "bad_value", "document"),
        (scan(data={"quantity": 3}), "bad_quantity", "decimal string"),
        (scan(data={"quantity": "-3"}), "bad_quantity", "greater than zero"),
        (scan(data={"quantity": "1e3"}), "bad_quantity", "no exponent"),
        (scan(data={"quantity": "4006381333931"}), "bad_quantity", "at most 9 digits"),
        (scan(data={"quantity": "NaN"}), "bad_quantity", "not a decimal"),
        (scan(data={"barcode": "a\0b"}), "bad_value", "barcode"),
        (scan(data={"barcode": ["x"]}), "bad_value", "barcode"),
        (scan(time="now"), "bad_time", "RFC 3339"),
        (scan(time=1732442340), "bad_time", "RFC 3339"),
        (scan(time="2026-11-24T09:59:00"), "bad_time", "no time zone"),
        (scan(time="1970-01-01T00:00:10Z"), "implausible_time", "distant past"),
        (scan(time="2100-01-01T00:00:10Z"), "implausible_time", "the future"),
    ],
)
def test_bad_input_is_set_aside_with_its_bytes_and_a_sentence(
    payload: bytes, code: str, says: str
) -> None:
    item = bad(payload)
    assert (item.code, item.payload, item.size) == (code, payload, len(payload))
    assert says in item.message
    assert item.message.endswith(".")
    assert code in COMPLAINTS


def test_of_a_large_payload_the_head_is_kept() -> None:
    payload = b"x" * (10 * 1024 * 1024)
    item = bad(payload)
    assert (item.code, item.size) == ("too_large", len(payload))
    assert item.payload == payload[:MAX_EVENT_BYTES]


@pytest.mark.parametrize("device", ["", "agent", "H1", "a/b", "-", "x" * 64, "é"])
def test_a_topic_that_names_no_device_is_set_aside(device: str) -> None:
    assert bad(scan(), topic=f"wh/v1/{device}/event").code == "bad_device"


def test_what_a_device_says_about_gs1_is_replaced() -> None:
    barcode = "]C1010400638133393110LOT7"
    for claim in ({"gtin": "1"}, "nonsense", {"lot": "FORGED"}, None):
        reading = good(scan(data={"barcode": barcode, "gs1": claim}))
        assert reading.event.data["gs1"]["lot"] == "LOT7"
    assert "gs1" not in good(scan(data={"gs1": {"lot": "FORGED"}})).event.data


def test_what_a_device_says_about_the_stations_weight_is_removed() -> None:
    for claim in ({"weight": "9"}, {"reason": "x"}, "nonsense", None):
        raw = {"barcode": "PACK1", "weighed": claim}
        event = {"kind": "scan.read", "time": "2026-11-24T09:59:00Z", "data": raw}
        assert good(json.dumps(event).encode()).event.data == {"barcode": "PACK1"}


def test_the_lines_of_a_package_are_resolved_too() -> None:
    data = {
        "document": "WH/OUT/1",
        "package": "P1",
        "lines": [{"barcode": "]C110A", "quantity": "1"}],
    }
    event = json.dumps(
        {"id": ID, "kind": "package.packed", "time": "2026-11-24T09:59:00Z", "data": data}
    )
    assert good(event.encode()).event.data["lines"][0]["gs1"]["lot"] == "A"


def test_a_raw_reading_gets_an_id_of_its_bytes() -> None:
    raw = {"kind": "scan.read", "time": "2026-11-24T09:59:00Z", "data": {"barcode": "1"}}
    one, same = good(json.dumps(raw).encode()), good(json.dumps(raw).encode())
    other = good(json.dumps({**raw, "seq": 2}).encode())
    assert one.event.id == same.event.id != other.event.id
    elsewhere = good(json.dumps(raw).encode(), topic="wh/v1/h2/event")
    assert elsewhere.event.id != one.event.id


def test_a_measured_clock_explains_1970_and_2100() -> None:
    for told in ("1970-01-01T00:01:00Z", "2100-01-01T00:00:00Z"):
        offset = round((datetime.fromisoformat(told) - NOW) / timedelta(milliseconds=1)) + 60_000
        reading = good(scan(time=told), clock=ClockReading(offset, 40))
        assert (reading.clock_offset_ms, reading.clock_uncertainty_ms) == (offset, 40)
        assert reading.event.time == datetime.fromisoformat(told), "as the device told it"


def test_a_measured_clock_that_does_not_explain_it_is_named() -> None:
    item = bad(scan(time="1970-01-01T00:01:00Z"), clock=ClockReading(5, 40))
    assert "offset of 5 ms does not explain it" in item.message


def test_an_agent_with_a_wrong_clock_of_its_own_does_not_judge() -> None:
    good(scan(), arrived=datetime(1970, 1, 1, tzinfo=UTC))


def test_the_id_of_a_broken_event_is_found_when_it_can_be() -> None:
    assert claimed_id(scan(kind="x")) == UUID(ID)
    for payload in (b"", b"[]", b"{}", b"\xff", b'{"id": 7}', b"[" * 60_000):
        assert claimed_id(payload) is None


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["id", "kind", "time", "seq", "data", "barcode", "quantity", "lines", "gs1"]
                    ),
                    inner,
                    max_size=5,
                )
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
@settings(max_examples=50, deadline=None)
def test_no_payload_raises(payload: bytes) -> None:
    read(payload)
    claimed_id(payload)
