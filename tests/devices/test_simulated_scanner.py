"""What a simulated scanner sends is read as what was scanned, under every profile there is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.parts import SerialLine
from edge_agent.devices.profiles.schema import Profile
from edge_agent.devices.scanners.payloads import read_payload
from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.reads import NoRead, ScannerRead
from edge_agent.devices.scanners.serial_frames import SerialFrames
from edge_agent.devices.scanners.topics import TopicFilter
from edge_agent.devices.simulate.hands import barcode_of
from edge_agent.devices.simulate.scanner import SimulatedScanner
from edge_agent.devices.simulate.scanner_frames import framed, no_read
from edge_agent.devices.simulate.scanner_payloads import payload_of
from edge_agent.devices.simulate.tables import pty_overrides, table, topic_of

LIBRARY = ProfileLibrary()
SCANNERS: dict[str, Profile] = {
    name: profile
    for name in LIBRARY.names()
    if (profile := LIBRARY.get(name)).device_class == "scanner"
}
ON_LINES = sorted(name for name, profile in SCANNERS.items() if profile.serial or profile.tcp)
ON_MQTT = sorted(name for name, profile in SCANNERS.items() if profile.mqtt)
NOW = datetime(2026, 11, 25, 6, 30, 15, 250_000, tzinfo=UTC)
ID = UUID("7b3f0c1e-2f7a-4d55-9f5e-0d6a2f4b9c11")


def scanner_of(name: str) -> ScannerProfile:
    found = SCANNERS[name].scanner
    assert found is not None
    return found


def symbology_of(profile: ScannerProfile) -> str | None:
    """One that the profile can send, if it must or can send any."""
    if profile.code_id != "none":
        return next((aim for aim in profile.code_ids.values() if aim), None)
    return None if profile.aim_id == "absent" else "]E0"


@pytest.mark.parametrize("name", ON_LINES)
def test_a_scan_is_framed_as_the_profile_reads_it(name: str) -> None:
    profile = scanner_of(name)
    symbology = symbology_of(profile)
    frames = SerialFrames(profile)
    data = framed(profile, "4006381333931", symbology)
    found = [*frames.feed(data), *frames.idle()]
    assert [(one.data, one.symbology) for one in found if isinstance(one, ScannerRead)] == [
        ("4006381333931", symbology)
    ]
    assert frames.pending == 0


@pytest.mark.parametrize("name", ON_LINES)
def test_what_a_scanner_says_without_a_label_is_no_read(name: str) -> None:
    profile = scanner_of(name)
    if not profile.no_read:
        with pytest.raises(ValueError, match="no_read"):
            no_read(profile)
        return
    frames = SerialFrames(profile)
    found = [*frames.feed(no_read(profile)), *frames.idle()]
    assert [type(one) for one in found] == [NoRead]


TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
PROFILES = st.builds(
    dict,
    frame=st.sampled_from(
        [
            {},
            {"start": "\x02", "end": "\x03"},
            {"start": "\x02", "end": ["\r\n"], "start_required": True},
            {"start": "\x02", "end": "\x03", "length": {"size": 4}},
            {"start": "\x02", "end": [], "length": {"size": 2, "form": "big-endian"}},
            {"start": "\x02", "end": "\r", "length": {"size": 2, "form": "hex"}},
        ]
    ),
    prefix=st.sampled_from([(), ("<<<",)]),
    suffix=st.sampled_from([(), (">>>",)]),
    aim_id=st.sampled_from(["required", "optional", "absent"]),
)


@given(PROFILES, TEXT.filter(lambda text: "<" not in text and ">" not in text and "]" not in text))
def test_any_text_comes_through_any_framing(given_: dict[str, Any], text: str) -> None:
    profile = ScannerProfile.model_validate(given_)
    symbology = "]C1" if profile.aim_id != "absent" else None
    frames = SerialFrames(profile)
    found = frames.feed(framed(profile, text, symbology) * 2)
    assert [(one.data, one.symbology) for one in found if isinstance(one, ScannerRead)] == [
        (text, symbology)
    ] * 2


@pytest.mark.parametrize(
    ("given_", "data", "symbology", "why"),
    [
        ({"aim_id": "required"}, "A", None, "AIM identifier"),
        ({}, "A\rB", None, "begins or ends a read"),
        ({"encoding": "ascii"}, "Ä", None, "ascii"),
        ({"frame": {"max_bytes": 4}}, "ABCDE", None, "at most 4 bytes"),
        ({"frame": {"start": "\x02", "length": {"size": 1}}}, "A" * 10, None, "length field"),
        ({"code_id": "prefix", "code_ids": {"j": "]C0"}}, "A", "]E0", "code identifier"),
    ],
)
def test_what_a_profile_cannot_send_is_said(
    given_: dict[str, Any], data: str, symbology: str | None, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        framed(ScannerProfile.model_validate(given_), data, symbology)


@pytest.mark.parametrize("name", ON_MQTT)
def test_a_payload_is_read_as_the_profile_of_its_fleet_reads_it(name: str) -> None:
    profile, topics = scanner_of(name), SCANNERS[name].mqtt
    assert topics is not None
    filter_ = TopicFilter.parse(topics.topic)
    captures = filter_.match(topic_of(topics.topic, "gate-1"))
    assert captures is not None
    assert captures.get("device", "gate-1") == "gate-1"
    if profile.event is not None:
        with pytest.raises(ValueError, match="whole messages"):
            payload_of(profile, "3034257BF468", NOW, ID)
        return
    found = read_payload(profile, payload_of(profile, "3034257BF468", NOW, ID), captures)
    assert [one.data for one in found if isinstance(one, ScannerRead)] == ["3034257BF468"]
    if profile.read.time:
        (read,) = found
        assert isinstance(read, ScannerRead)
        assert read.time is not None
        assert abs(read.time.timestamp() - NOW.timestamp()) < 1


def test_a_scanner_on_a_line_is_heard() -> None:
    with (
        SimulatedScanner(scanner_of("serial-scanner")) as scanner,
        serial.serial_for_url(scanner.port, timeout=5) as port,
    ):
        scanner.scan(barcode_of("]C10104006381333931{GS}10L1"))
        assert port.read_until(b"\x03") == b"\x02$]C10104006381333931{GS}10L1\x03"
        assert scanner.sent == 1


def test_the_table_is_what_agent_toml_wants() -> None:
    overrides = pty_overrides(SerialLine(bytesize=7, parity="E"))
    assert table("scale-1", "sma", {"port": "/tmp/a b"}, overrides) == (
        '[devices.scale-1]\nprofile = "sma"\nport = "/tmp/a b"\n'
        'override.serial.bytesize = 8\noverride.serial.parity = "N"\n'
    )
    assert pty_overrides(SerialLine(baudrate=4800)) == {}
