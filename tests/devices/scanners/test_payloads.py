"""MQTT payloads of any shape become reads; a bad one leaves its neighbours alone."""

import base64
import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge_agent.devices.scanners.payloads import MAX_PAYLOAD_BYTES, read_payload
from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.reads import (
    NoRead,
    PayloadResult,
    ScannerRead,
    UnreadableFrame,
)

TAG = {"tag": "E200AA01", "at": "2026-11-20T08:15:00.5+01:00", "ant": 2}


def profile(form: str = "json", **settings: Any) -> ScannerProfile:
    settings["read"] = {"data": "/tag", **settings.get("read", {})}
    return ScannerProfile.model_validate({"format": form, **settings})


def results(payload: object, form: str = "json", **settings: Any) -> list[PayloadResult]:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return read_payload(profile(form, **settings), raw, {"zone": "dock-2"})


def data(payload: object, form: str = "json", **settings: Any) -> list[str]:
    return [one.data for one in results(payload, form, **settings) if isinstance(one, ScannerRead)]


def complaint(payload: object, form: str = "json", **settings: Any) -> UnreadableFrame:
    (found,) = results(payload, form, **settings)
    assert isinstance(found, UnreadableFrame)
    assert found.message.endswith(".")
    return found


@pytest.mark.parametrize(
    ("form", "payload"),
    [
        ("json", b'[{"tag":"A"},{"tag":"B"}]'),
        ("glued-json", b'{"tag":"A"}{"tag":"B"}'),
        ("glued-json", b'{"tag":"A"}\r\n {"tag":"B"}\n'),
        ("glued-json", b'[{"tag":"A"},{"tag":"B"}]'),
        ("ndjson", b'{"tag":"A"}\n\n{"tag":"B"}\n'),
        ("ndjson", b'\xef\xbb\xbf{"tag":"A"}\r\n{"tag":"B"}'),
        ("text", b"A\r\nB"),
        ("text", b"A\nB\n"),
        ("hex", b"410d0A 42"),
    ],
)
def test_every_format_gives_its_reads(form: str, payload: bytes) -> None:
    assert data(payload, form) == ["A", "B"]


def test_pointers_find_the_parts_of_a_read() -> None:
    payload = {"sent": "ignored", "gate": "G1", "found": {"tags": [TAG]}}
    (found,) = results(
        payload,
        read={
            "list": "/found/tags",
            "time": "/at",
            "antenna": "/ant",
            "id": "/none",
            "extras": {"gate": "#/gate", "zone": "topic:zone", "missing": "/nothing"},
        },
    )
    assert isinstance(found, ScannerRead)
    assert found.data == "E200AA01"
    assert found.time == datetime(2026, 11, 20, 7, 15, 0, 500_000, UTC)
    assert found.fields == {"antenna": 2, "gate": "G1", "zone": "dock-2"}
    assert found.id is None


def test_the_first_source_that_is_there_counts_and_every_list_does() -> None:
    payload = {"tags": [{"tag": "T"}], "codes": [{"code": "C"}], "none": None}
    read = {"list": ["/tags", "/codes", "/none"], "data": ["/tag", "/code"]}
    assert data(payload, read=read) == ["T", "C"]


def test_escaped_pointers_and_list_positions() -> None:
    assert data({"a/b": {"~c": ["x", "Y"]}}, read={"data": "/a~1b/~0c/1"}) == ["Y"]
    assert data("Y", read={"data": ""}) == ["Y"]


def test_only_reads_of_the_wanted_type_are_taken() -> None:
    payload = [
        {"kind": "tag", "n": 1, "tag": "A"},
        {"kind": "beat", "n": 1},
        {"kind": "tag", "n": 2, "tag": "B"},
    ]
    assert data(payload, read={"only": {"/kind": "tag", "/n": ["1", "3"]}}) == ["A"]


def test_reads_of_an_unwanted_type_are_left_out() -> None:
    payload = [{"kind": "tag", "tag": "A"}, {"kind": "beat"}, {"tag": "B"}]
    assert data(payload, read={"ignore": {"/kind": "beat"}}) == ["A", "B"]


def test_one_bad_read_of_ten_is_nine_reads_and_one_complaint() -> None:
    payload = [{"tag": f"T{number}"} for number in range(10)]
    payload[4] = {"tag": None}  # type: ignore[dict-item]
    found = results(payload)
    assert sum(isinstance(one, ScannerRead) for one in found) == 9
    (bad,) = (one for one in found if isinstance(one, UnreadableFrame))
    assert (bad.code, bad.raw) == ("missing_field", b'{"tag":null}')


def test_a_broken_object_among_glued_ones_is_told_and_the_rest_is_read() -> None:
    found = results(b'{"tag":"A"}{"tag":BAD}{"tag":"B"}{"tag"', "glued-json")
    assert [one.data for one in found if isinstance(one, ScannerRead)] == ["A", "B"]
    assert [one.code for one in found if isinstance(one, UnreadableFrame)] == [
        *("malformed_json", "malformed_json")
    ]


def test_json_as_deep_as_it_can_be_read_is_read_or_told() -> None:
    for depth in range(800, 1000, 3):
        deep = b'{"x":' + b"[" * depth + b"]" * depth + b',"tag":"A"}'
        for payload in (deep, deep.replace(b"tag", b"tug")):
            (found,) = results(payload)
            assert isinstance(found, ScannerRead | UnreadableFrame)


def test_a_broken_line_leaves_the_others_alone() -> None:
    assert data(b'{"tag":"A"}\n{"tag"\n{"tag":"B"}', "ndjson") == ["A", "B"]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xff\xfe", "not_utf8"),
        (b"{", "malformed_json"),
        (b'{"tag":"A"} x', "malformed_json"),
        (b'{"tag":NaN}', "malformed_json"),
        (b'{"tag":"A","n":-Infinity}', "malformed_json"),
        (b'{"tag":"A","n":1e999999999}', "malformed_json"),
        (b'{"tag":"A","n":1e99999999999999999999}', "malformed_json"),
        (b'{"tag":"A","n":' + b"9" * 5000 + b"}", "malformed_json"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b"7", "missing_field"),
        (b"null", "missing_field"),
        (b'{"tag":17}', "bad_value"),
        (b'{"tag":1.5}', "bad_value"),
        (b'{"tag":true}', "bad_value"),
        (b'{"tag":["A"]}', "bad_value"),
        (b'{"tag":{"x":1}}', "bad_value"),
        (b" " * (MAX_PAYLOAD_BYTES + 1), "too_large"),
    ],
)
def test_what_is_no_read_is_a_complaint_in_a_sentence(payload: bytes, code: str) -> None:
    assert complaint(payload).code == code


def test_hexadecimal_digits_that_are_none_are_a_complaint() -> None:
    assert complaint(b"4g", "hex").code == "bad_value"


@pytest.mark.parametrize(
    ("read", "payload", "code"),
    [
        ({"time": "/t"}, {"tag": "A", "t": "noon"}, "bad_time"),
        ({"time": "/t"}, {"tag": "A", "t": "2026-11-20T08:15:00"}, "bad_time"),
        ({"time": "/t"}, {"tag": "A", "t": 17}, "bad_time"),
        ({"time": "/t", "time_format": "epoch-s"}, {"tag": "A", "t": 10**19}, "bad_time"),
        ({"sequence": "/n"}, {"tag": "A", "n": -1}, "bad_value"),
        ({"sequence": "/n"}, {"tag": "A", "n": 10**15}, "bad_value"),
        ({"sequence": "/n"}, {"tag": "A", "n": "x"}, "bad_value"),
        ({"id": "/i"}, {"tag": "A", "i": {}}, "bad_value"),
        ({"symbology": "/s"}, {"tag": "A", "s": []}, "bad_value"),
        ({"data_encoding": "base64"}, {"tag": "A"}, "bad_value"),
        ({"data_encoding": "ascii-hex"}, {"tag": "xyz"}, "bad_value"),
        ({"data_encoding": "ascii-hex"}, {"tag": "e9"}, "not_utf8"),
    ],
)
def test_a_part_that_makes_no_sense_is_a_complaint(
    read: dict[str, Any], payload: dict[str, Any], code: str
) -> None:
    assert complaint(payload, read=read).code == code


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("epoch-s", 1_792_995_200),
        ("epoch-s", "1792995200.0"),
        ("epoch-ms", 1_792_995_200_000),
        ("epoch-us", 1_792_995_200_000_000),
        ("epoch-ns", 1_792_995_200_000_000_000),
        ("iso", "2026-10-26T06:13:20Z"),
        ("iso", "2026-10-26T06:13:20.000+0000"),
        ("iso", "2026-10-26T07:13:20.123456789+01:00"),
        ("iso", "2026-10-26 07:13:20"),
        ("%d.%m.%Y %H:%M:%S", "26.10.2026 07:13:20"),
        ("%Y%m%d%H%M%S%z", "20261026061320+0000"),
    ],
)
def test_times_as_devices_write_them(form: str, told: object) -> None:
    read = {"time": "/t", "time_format": form, "time_zone": "Europe/Berlin"}
    (found,) = results({"tag": "A", "t": told}, read=read)
    assert isinstance(found, ScannerRead)
    assert found.time is not None
    assert found.time.replace(microsecond=0) == datetime(2026, 10, 26, 6, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("encoding", "told", "read"),
    [
        ("text", "e2801160", "e2801160"),
        ("ascii-hex", "4C4F542D37", "LOT-7"),
        ("base64", base64.b64encode(b"LOT-7").decode(), "LOT-7"),
        ("base64-hex", base64.b64encode(bytes.fromhex("E2801160")).decode(), "E2801160"),
    ],
)
def test_data_in_the_devices_encoding(encoding: str, told: str, read: str) -> None:
    assert data({"tag": told}, read={"data_encoding": encoding}) == [read]


def test_a_number_is_data_only_where_the_profile_says_so() -> None:
    assert data({"tag": 4006381333931}, read={"data_may_be_number": True}) == ["4006381333931"]


@pytest.mark.parametrize(
    ("said", "aim"),
    [
        ("LABEL-TYPE-GS1-DATABAR", "]e0"),
        ("EAN-13", "]E0"),
        ("gs1_128", "]C1"),
        ("]d2", "]d2"),
        ("QRCODE", None),
        ("mine", "]X0"),
        ("", None),
    ],
)
def test_what_the_device_calls_a_symbology(said: str, aim: str | None) -> None:
    (found,) = results(
        {"tag": "A", "s": said}, read={"symbology": "/s"}, symbologies={"mine": "]X0"}
    )
    assert isinstance(found, ScannerRead)
    assert found.symbology == aim


def test_failed_reads_and_empty_data_are_no_reads() -> None:
    found = results([{"tag": "NOREAD"}, {"tag": ""}], no_read="NOREAD")
    assert found == [NoRead("NOREAD")]


def test_equal_reads_of_one_payload_are_reads_of_their_own() -> None:
    first, second = results([{"tag": "A"}, {"tag": "A"}])
    assert isinstance(first, ScannerRead)
    assert isinstance(second, ScannerRead)
    assert first.key != second.key
    again = results([{"tag": "A"}, {"tag": "A"}])
    assert again == [first, second]


def test_a_flood_of_reads_is_bounded_and_said() -> None:
    found = results([{"tag": str(number)} for number in range(12)], max_reads=10)
    assert [type(one) for one in found] == [ScannerRead] * 10 + [UnreadableFrame]


def test_numbers_keep_their_digits() -> None:
    (found,) = results(b'{"tag":"A","rssi":-51.250}', read={"extras": {"rssi": "/rssi"}})
    assert isinstance(found, ScannerRead)
    assert found.fields == {"rssi": Decimal("-51.250")}
    assert str(found.fields["rssi"]) == "-51.250"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
SETTINGS: list[dict[str, Any]] = [
    {},
    {"read": {"list": "/tags", "time": ["/tag", "/t"], "sequence": "/n", "id": "/i"}},
    {"read": {"data": ["", "/0"], "symbology": "/s", "data_encoding": "base64"}},
    {"event": {"kind": "scan.read", "data": {"barcode": "/tag", "x": {"each": "/tags", "y": ""}}}},
]


@given(
    value=JSON
    | st.fixed_dictionaries({"tag": JSON, "tags": JSON, "t": JSON, "n": JSON, "i": JSON}),
    form=st.sampled_from(["json", "glued-json", "ndjson"]),
    which=st.sampled_from(SETTINGS),
)
@settings(max_examples=150, deadline=None)
def test_no_json_crashes_it(value: object, form: str, which: dict[str, Any]) -> None:
    for found in results(value, form, **which):
        assert not isinstance(found, ScannerRead) or found.data


@given(
    payload=st.binary(max_size=80),
    form=st.sampled_from(["json", "glued-json", "ndjson", "text", "hex"]),
)
@settings(max_examples=300, deadline=None)
def test_no_bytes_crash_it(payload: bytes, form: str) -> None:
    results(payload, form)


@pytest.mark.parametrize(
    ("read", "said"),
    [
        ({"data": "tag"}, "no JSON pointer"),
        ({"data": "/a~2"}, "~ is written ~0"),
        ({"data": "topic:Zone"}, "names no capture"),
        ({"only": {"kind": "x"}}, "no JSON pointer"),
        ({"time_format": "unix"}, "no time format"),
        ({"time_zone": "Berlin"}, "no time zone"),
        ({"extras": {"A B": "/x"}}, "pattern"),
    ],
)
def test_a_mistake_in_the_profile_is_said_in_a_sentence(read: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        profile(read=read)


@pytest.mark.parametrize(
    "said",
    [
        *("2026-11-20T08:15:00+01:00", 1_795_158_900, "1795158900", 1_795_158_900_000),
        *(1_795_158_900_000_000, 1_795_158_900_000_000_000, "1795158900.0"),
    ],
)
def test_a_time_of_any_kind_tells_its_unit_by_its_digits(said: object) -> None:
    read = {"data": "/tag", "time": "/at", "time_format": "any"}
    (found,) = results({"tag": "A", "at": said}, read=read)
    assert isinstance(found, ScannerRead)
    assert found.time == datetime(2026, 11, 20, 7, 15, tzinfo=UTC)


@pytest.mark.parametrize("said", [17, 179515890, True, "20 past", "20261120", 17951589000, {}, []])
def test_a_time_of_no_known_kind_is_told(said: object) -> None:
    read = {"data": "/tag", "time": "/at", "time_format": "any"}
    assert complaint({"tag": "A", "at": said}, read=read).code == "bad_time"


def test_a_text_has_no_more_reads_than_the_profile_allows() -> None:
    found = results(b"A\n" * 200_000, "text", max_reads=1000)
    assert len(found) == 1001
    assert isinstance(found[-1], UnreadableFrame)
    assert found[-1].code == "too_large"
    assert len(results(b"A\n" * 1000, "text", max_reads=1000)) == 1000


@pytest.mark.parametrize("noise", [b"\r", b"\n", b"\r\n", b"\x02", b"\x03", b"x\r", b"\x02\x01A"])
@pytest.mark.parametrize(
    "frame",
    [
        {"start": "\x02", "end": ["\x03", "\r", "\r\n"]},
        {"start": "\x02", "length": {"size": 1, "form": "big-endian"}, "end": []},
        {"end": [], "idle_flush_s": 1},
    ],
)
def test_no_payload_of_a_mebibyte_takes_long(frame: dict[str, Any], noise: bytes) -> None:
    payload = noise * (2**20 // len(noise))
    began = time.process_time()
    results(payload, "text", frame=frame)
    assert time.process_time() - began < 10
