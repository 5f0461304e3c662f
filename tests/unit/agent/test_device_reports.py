"""Every device in one list, whatever line it has."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO

from rich.console import Console

from edge_agent.device_reports import class_reports, device_counters, device_reports
from edge_agent.devices.links import LinkState
from edge_agent.devices.presence.presence import Presence
from edge_agent.devices.profiles.library import ProfileLibrary, parse_profile
from edge_agent.devices.profiles.resolve import ConfiguredDevice
from edge_agent.report import DeviceReport, LinkReport
from edge_agent.view import _devices, _links, quarantine_view
from edge_contract.event import DeviceEvent
from edge_contract.mqtt import DeviceStatus

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FLEET = """
title = "Readers"
[mqtt]
topic = "readers/{device}/tags"
[scanner]
format = "json"
"""


def configured() -> list[ConfiguredDevice]:
    library = ProfileLibrary()
    fleet = parse_profile(FLEET, "fleet.toml")
    return [
        ConfiguredDevice("scale-1", "mt-sics", library.get("mt-sics"), "serial", "/dev/x", "bench"),
        ConfiguredDevice("printer-1", "zebra-zpl", library.get("zebra-zpl"), "tcp", "p:9100"),
        ConfiguredDevice("dock", "fleet", fleet, "mqtt", "readers/{device}/tags"),
        ConfiguredDevice("gate", "fleet", fleet, "mqtt", "gate/tags"),
    ]


def links() -> list[LinkState]:
    return [
        LinkState("mqtt", "mqtt", "up"),
        LinkState("scale-1", "scale", "up", last_seen=NOON),
        LinkState("printer-1", "printer", "fault", "It does not answer."),
    ]


def present() -> Presence:
    presence = Presence()
    presence.heard_status("h1", DeviceStatus(state="online", boot=3), NOON, fresh=True)
    assert presence.claim("fx-1", "dock", "FX-1") is None
    for seq in (1, 2, 5, 9):
        event = DeviceEvent(kind="scan.read", time=NOON, seq=seq, data={"barcode": "1"})
        presence.heard_event("fx-1", event, NOON, fresh=True, direct=False)
    return presence


def reports() -> dict[str, DeviceReport]:
    found = device_reports(configured(), links(), present().devices(NOON), {"h1": "bench"})
    return {report.name: report for report in found}


def test_devices_with_a_line_are_as_their_links_are() -> None:
    found = reports()
    scale, printer = found["scale-1"], found["printer-1"]
    assert (scale.state, scale.online, scale.last_seen) == ("online", True, NOON)
    assert (scale.device_class, scale.profile, scale.station) == ("scale", "mt-sics", "bench")
    assert (printer.state, printer.online, printer.detail) == (
        "fault",
        False,
        "It does not answer.",
    )


def test_devices_on_mqtt_are_as_they_say_or_as_they_are_heard() -> None:
    found = reports()
    assert (found["h1"].state, found["h1"].boot, found["h1"].device_class) == (
        "online",
        3,
        "handheld",
    )
    assert found["h1"].station == "bench"
    reader = found["fx-1"]
    assert (reader.state, reader.profile, reader.fleet) == ("seen", "fleet", "dock")
    assert (reader.gaps, reader.missing) == (((3, 4), (6, 8)), 5)
    assert "dock" not in found, "its devices stand for it"
    assert found["gate"].state == "unknown"


def test_classes_are_counted() -> None:
    classes = class_reports(reports().values())
    assert list(classes) == ["handheld", "printer", "scale", "scanner"]
    scanners = classes["scanner"]
    assert (scanners.devices, scanners.seen, scanners.unknown, scanners.missing) == (2, 1, 1, 5)
    counters = device_counters(reports().values())
    assert counters["devices.printer.fault"] == 1
    assert "devices.printer.online" not in counters


def test_people_see_every_device_with_its_gaps() -> None:
    console = Console(file=StringIO(), width=160)
    console.print(_devices(reports().values(), NOON))
    assert isinstance(console.file, StringIO)
    lines = [line.strip() for line in console.file.getvalue().splitlines()]
    (reader,) = (line for line in lines if line.startswith("fx-1"))
    for shown in ("scanner", "fleet", "seen (at risk)", "5: 3..4, 6..8"):
        assert shown in reader
    assert any(line.startswith("printer-1") and "fault" in line for line in lines)
    assert any(line.startswith("h1") and "online, boot 3" in line for line in lines)


def test_what_a_device_said_is_shown_as_it_is_and_never_taken_for_markup() -> None:
    said = "It says '[/b]': see [mqtt]."
    link = LinkReport(name="scale-1", kind="scale", health="fault", detail=said, since=None)
    entry = {"number": 1, "recorded": "", "device": "d", "size": 4, "message": said, "begins": said}
    for table in (_links([link], NOON), quarantine_view([entry])):
        console = Console(file=StringIO(), width=160)
        console.print(table)
        assert isinstance(console.file, StringIO)
        assert said in console.file.getvalue()
