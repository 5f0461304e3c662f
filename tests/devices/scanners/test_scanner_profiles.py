"""The profiles of scanners and readers that come along understand what their devices send."""

import json
from typing import Any

import pytest

from edge_agent.devices.profiles.library import ProfileLibrary, parse_profile
from edge_agent.devices.scanners.decoding import decode_scanner
from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.topics import TopicFilter
from edge_contract.toml_errors import ConfigurationError

LIBRARY = ProfileLibrary()
GTIN = "04006381333931"
SCANNERS = [name for name in LIBRARY.names() if LIBRARY.get(name).scanner is not None]


def scanner(name: str) -> ScannerProfile:
    found = LIBRARY.get(name).scanner
    assert found is not None
    return found


def decode(name: str, frame: object) -> dict[str, Any]:
    raw = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    found = decode_scanner(raw, scanner(name))
    json.dumps(found)
    return found


def data(name: str, frame: object) -> list[str]:
    found = decode(name, frame)
    assert found["errors"] == []
    return [read["data"] for read in found["reads"]]


@pytest.mark.parametrize("name", SCANNERS)
def test_every_profile_says_what_to_set_on_the_device(name: str) -> None:
    profile = LIBRARY.get(name)
    assert profile.title
    assert profile.notes
    if profile.mqtt is not None:
        assert "device" in TopicFilter.parse(profile.mqtt.topic).captures


@pytest.mark.parametrize("name", SCANNERS)
@pytest.mark.parametrize("frame", [b"", b"\xff\x00\x02", b"{}", b"[[]]", b"]", b"\r\n"])
def test_no_frame_crashes_a_profile(name: str, frame: bytes) -> None:
    decode(name, frame)


def test_silence_is_no_read() -> None:
    assert decode("serial-scanner", b"") == {
        "reads": [],
        "noread": False,
        "pending": False,
        "errors": [],
    }


@pytest.mark.parametrize(
    ("frame", "read"),
    [
        (b"PICK-7\r", "PICK-7"),
        (b"PICK-7\r\n", "PICK-7"),
        (b"PICK-7\t", "PICK-7"),
        (b"\x02PICK-7\x03\r\n", "PICK-7"),
        (b"$PICK-7\r", "PICK-7"),
        (b"]C0PICK-7\r", "PICK-7"),
        ("Größe\r".encode(), "Größe"),
        ("Größe\r".encode("latin-1"), "Größe"),
        (f"01{GTIN}10A{{GS}}21B\r".encode(), f"01{GTIN}10A\x1d21B"),
        (f"01{GTIN}10A#21B\r".encode(), f"01{GTIN}10A\x1d21B"),
        (f"]C101{GTIN}10A|21B\r".encode(), f"01{GTIN}10A\x1d21B"),
        (f"01{GTIN}10A^]21B\r".encode(), f"01{GTIN}10A\x1d21B"),
        (b"BAY#4\r", "BAY#4"),
    ],
)
def test_any_serial_scanner(frame: bytes, read: str) -> None:
    assert data("serial-scanner", frame) == [read]


@pytest.mark.parametrize("said", [b"NOREAD\r", b"NoRead\r\n", b"\x02?\x03", b"\x18\r", b"ERROR\r"])
def test_a_read_that_failed_on_any_serial_scanner(said: bytes) -> None:
    found = decode("serial-scanner", said)
    assert (found["noread"], found["reads"]) == (True, [])


def test_half_a_read_is_pending() -> None:
    assert decode("serial-scanner", b"PICK") == {
        "reads": [],
        "noread": False,
        "errors": [],
        "pending": True,
    }
    assert data("generic-text", b"PICK") == ["PICK"]  # silence ends it there


def test_makers_own_ways() -> None:
    (read,) = decode("honeywell-code-id", b"I01" + GTIN.encode() + b"10L\r")["reads"]
    assert (read["data"], read["aim"]) == (f"01{GTIN}10L", "]C1")
    assert data("honeywell-code-id", b"d4006381333931\rsHELLO\r") == ["4006381333931", "HELLO"]
    assert data("datalogic-serial", b"$]E04006381333931\r\n") == ["4006381333931"]
    assert data("sick-lector", b"noise\x02A-1\x03\r\n\x02A-2\x03") == ["A-1", "A-2"]
    assert decode("sick-lector", b"\x02NoRead\x03")["noread"]
    assert data("keyence-sr", b"OK,LON\rA-1\rER,LOFF,02\r") == ["A-1"]
    assert decode("keyence-sr", b"ERROR\r")["noread"]


@pytest.mark.parametrize(
    "said",
    [
        "NOREAD",
        "NO READ",
        "No Read",
        "NO-READ",
        "no read",
        "<NOREAD>",
        "NR",
        "ERROR",
        "???",
        "\x18",
    ],
)
def test_the_usual_words_for_a_failed_read_are_no_label(said: str) -> None:
    for frame in (f"{said}\r", f"\x02{said}\x03\r\n"):
        found = decode("serial-scanner", frame.encode())
        assert (found["reads"], found["noread"]) == ([], True)


@pytest.mark.parametrize(
    "alias",
    [
        *("\x1d", "{GS}", "<GS>", "(GS)", "[GS]", "{FNC1}", "<FNC1>", "[FNC1]", "{F1}", "<F1>"),
        *("Alt029", "\\x1d", "\\u001d", "^]", "^", "#", "|", "~"),
    ],
)
def test_the_usual_stand_ins_for_the_separator_become_it(alias: str) -> None:
    frame = f"01{GTIN}10L-7{alias}21S-1\r".encode()
    assert data("serial-scanner", frame) == [f"01{GTIN}10L-7\x1d21S-1"]


def test_single_characters_stay_where_they_are_data() -> None:
    for text in ("PO#17", "A|B", "A^B", "~x", f"10{GTIN[:4]}#X"):
        assert data("serial-scanner", f"{text}\r".encode()) == [text]


def test_what_is_no_read_is_neither_read_nor_set_aside() -> None:
    time = "2026-11-20T09:00:00Z"
    beat = {"isHeartBeat": True, "epc": "*****", "firstSeenTimestamp": 1_790_000_000_000_000}
    for name, message in (
        ("zebra-iotc-fx", {"type": "firmwareUpdateProgress", "timestamp": time, "data": {}}),
        ("zebra-iotc-fx", {"component": "RC", "type": "x", "timestamp": time, "data": {}}),
        ("zebra-iotc-rfd", {"type": "heartBeatEVT", "timestamp": time, "data": {"uptime": 9}}),
        ("impinj-iot", {"timestamp": time, "inventoryStatusEvent": {"inventoryStatus": "idle"}}),
        ("impinj-smartreader", {"tag_reads": [beat]}),
        ("generic-json", {"type": "heartbeat", "time": time}),
    ):
        found = decode(name, message)
        assert (found["reads"], found["errors"]) == ([], []), name
    for frame in (b"ERR91\r", b"OK,BOOT\r"):
        assert decode("keyence-sr", frame)["reads"] == decode("keyence-sr", frame)["errors"] == []
    assert decode("keyence-sr", b"OVER\r")["noread"]


def test_impinj_events_of_older_firmware_and_in_lists() -> None:
    tag = {"timestamp": "2026-11-20T09:00:00Z", "tagInventoryEvent": {"epcHex": "3034AA01"}}
    named = {**tag, "eventType": "tagInventory"}
    for payload in (tag, named, [tag], {"events": [named]}):
        assert data("impinj-iot", payload) == ["3034AA01"]


def test_a_line_end_inside_the_frame_of_a_fixed_reader_is_taken_off() -> None:
    assert data("sick-lector", b"\x02A-1\r\n\x03\x02A-2\x03") == ["A-1", "A-2"]


def test_zebra_fixed_readers() -> None:
    tags = [
        {
            "type": "INVENTORY",
            "timestamp": f"2026-11-20T09:00:0{number}.250+0100",
            "data": {"idHex": f"3034AA0{number}", "antenna": number, "peakRssi": -58},
        }
        for number in range(3)
    ]
    wanted = ["3034AA00", "3034AA01", "3034AA02"]
    glued = "".join(map(json.dumps, tags)).encode()
    assert data("zebra-iotc-fx", glued) == data("zebra-iotc-fx", tags) == wanted
    beat = {"type": "heartbeat", "timestamp": "2026-11-20T09:00:00Z", "data": {"cpu": 4}}
    assert data("zebra-iotc-fx", beat) == []
    last = decode("zebra-iotc-fx", tags)["reads"][2]
    assert (last["time"], last["antenna"], last["rssi"]) == ("2026-11-20T08:00:02.250000Z", 2, -58)


def test_zebra_sleds_send_tags_and_barcodes() -> None:
    batch = {
        "type": "INVENTORY",
        "timestamp": "2026-11-20T09:00:00Z",
        "data": {
            "tagData": [{"eventNum": 1, "idHex": "3034AA01"}],
            "barcodeData": [{"decodedBarcode": "4006381333931", "symbology": "EAN13"}],
        },
    }
    tag, barcode = decode("zebra-iotc-rfd", batch)["reads"]
    assert (tag["data"], tag["time"]) == ("3034AA01", "2026-11-20T09:00:00.000000Z")
    assert (barcode["data"], barcode["aim"]) == ("4006381333931", "]E0")


def test_zebra_apps() -> None:
    found = {"TagList": [{"IDHex": "3034AA01", "RSSI": "-61"}, {"IDHex": "3034AA02"}]}
    assert data("zebra-dna-app", found) == ["3034AA01", "3034AA02"]


def test_impinj_readers() -> None:
    smart = {"tag_reads": [{"epc": "3034AA01", "firstSeenTimestamp": 1_792_995_200_250_000}]}
    (read,) = decode("impinj-smartreader", smart)["reads"]
    assert read["time"] == "2026-10-26T06:13:20.250000Z"
    events = [
        {"eventType": "inventoryStatus", "timestamp": "2026-11-20T09:00:00Z"},
        {
            "eventType": "tagInventory",
            "timestamp": "2026-11-20T09:00:00Z",
            "tagInventoryEvent": {"epcHex": "3034AA01", "antennaPort": 3},
        },
    ]
    (read,) = decode("impinj-iot", "\n".join(map(json.dumps, events)).encode())["reads"]
    assert (read["data"], read["antenna"]) == ("3034AA01", 3)


@pytest.mark.parametrize(
    ("said", "aim", "name"),
    [
        ("LABEL-TYPE-EAN128", "]C1", "GS1-128"),
        ("LABEL-TYPE-EAN13", "]E0", "EAN-13"),
        ("LABEL-TYPE-QRCODE", None, "LABEL-TYPE-QRCODE"),
    ],
)
def test_datawedge(said: str, aim: str | None, name: str) -> None:
    intent = {
        "com.symbol.datawedge.data_string": f"01{GTIN}10A\x1d21B",
        "com.symbol.datawedge.label_type": said,
    }
    (read,) = decode("datawedge-bridge", intent)["reads"]
    assert read["data"] == f"01{GTIN}10A\x1d21B"
    assert (read["aim"], read["symbology"]) == (aim, name)


@pytest.mark.parametrize(
    "payload",
    [
        {"barcode": "A-1"},
        {"code": "A-1", "time": "2026-11-20T09:00:00Z"},
        {"data": {"barcode": "A-1"}},
        {"data": "A-1"},
        {"scans": [{"barcode": "A-1"}]},
        [{"epc": "A-1"}],
        "A-1",
        ["A-1"],
        {"tag_reads": [{"epc": "A-1"}]},
    ],
)
def test_any_json(payload: object) -> None:
    assert data("generic-json", payload) == ["A-1"]


def test_a_profile_of_your_own_takes_in_an_app_with_no_code() -> None:
    text = """
        title = "Our picking app"
        [mqtt]
        topic = "app/{device}/done"
        [scanner]
        format = "json"
        [scanner.read]
        id = "/uid"
        [scanner.event]
        kind = "transfer.line"
        data = { document = "/order", barcode = "/ean", quantity = "/n", to = "topic:device" }
    """
    profile = parse_profile(text, "app.toml").scanner
    assert profile is not None
    frame = b'{"uid": "a-1", "order": "PICK/7", "ean": "4006381333931", "n": 2}'
    (event,) = decode_scanner(frame, profile)["events"]
    assert event["data"] == {"document": "PICK/7", "barcode": "4006381333931", "quantity": "2"}


def test_a_misspelt_key_is_named_with_its_line() -> None:
    text = 'title = "X"\n[serial]\n[scanner]\n[scanner.frame]\nstrat = "x"\n'
    with pytest.raises(ConfigurationError, match=r"x\.toml:5: .*did you mean start\?"):
        parse_profile(text, "x.toml")
