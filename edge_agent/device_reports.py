"""Every device of the site in one list: those with a line, those on MQTT, and fleets nobody heard.

Pure: what presence and the links know is put beside what is configured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from edge_agent.devices.links import Health, LinkState
from edge_agent.devices.mqtt.fleets import DEVICE, fleet_of
from edge_agent.devices.presence.followed import DevicePresence
from edge_agent.devices.profiles.resolve import ConfiguredDevice
from edge_agent.report import ClassReport, DeviceReport

#: What speaks the contract on ``wh/v1`` by itself.
HANDHELD = "handheld"

_LINE_STATES: dict[Health, Literal["online", "offline", "fault", "unknown"]] = {
    "starting": "unknown",
    "up": "online",
    "down": "offline",
    "fault": "fault",
    "refused": "online",  # the device is there: it is the outbox that has no room
    "stopped": "offline",
}


def device_reports(
    configured: Sequence[ConfiguredDevice],
    links: Iterable[LinkState],
    present: Iterable[DevicePresence],
    stations: Mapping[str, str] | None = None,
) -> list[DeviceReport]:
    """By name. A fleet that captures its devices' names stands there itself until one is heard.

    ``stations``: where devices stand, by name.
    """
    states = {state.name: state for state in links if state.kind != "mqtt"}
    sections = {device.name: device for device in configured}
    reports = {
        device.device: _of_presence(device, sections.get(device.fleet or "")) for device in present
    }
    heard = {report.fleet for report in reports.values()}
    for device in configured:
        if device.transport != "mqtt":
            reports[device.name] = _of_line(device, states.get(device.name))
        elif device.name not in heard:
            reports.setdefault(device.name, _unheard(device))
    places = stations or {}
    return [
        report.model_copy(update={"station": places.get(name, report.station)})
        for name, report in sorted(reports.items())
    ]


def class_reports(devices: Iterable[DeviceReport]) -> dict[str, ClassReport]:
    """How many devices of each class there are, and how."""
    classes: dict[str, ClassReport] = {}
    for device in devices:
        counted = classes.get(device.device_class, ClassReport())
        state = f"{device.state}"
        classes[device.device_class] = counted.model_copy(
            update={
                "devices": counted.devices + 1,
                state: getattr(counted, state) + 1,
                "missing": counted.missing + device.missing,
            }
        )
    return dict(sorted(classes.items()))


def device_counters(devices: Iterable[DeviceReport]) -> Mapping[str, int]:
    """The same as counters by name: ``devices.scale.online``."""
    return {
        f"devices.{name}.{key}": value
        for name, report in class_reports(devices).items()
        for key, value in report.model_dump().items()
        if value
    }


def _of_presence(device: DevicePresence, fleet: ConfiguredDevice | None) -> DeviceReport:
    return DeviceReport(
        name=device.device,
        device_class=HANDHELD if fleet is None else fleet.device_class,
        profile="" if fleet is None else fleet.profile_name,
        fleet="" if fleet is None else fleet.name,
        transport="mqtt",
        station=None if fleet is None else fleet.station,
        state=device.state,
        online=device.state == "online",
        boot=device.boot,
        last_seen=device.last_seen,
        missing=device.missing,
        gaps=device.gaps,
        clock_offset_ms=None if device.clock is None else device.clock.offset_ms,
        clock_uncertainty_ms=None if device.clock is None else device.clock.uncertainty_ms,
        at_risk=device.at_risk,
    )


def _of_line(device: ConfiguredDevice, link: LinkState | None) -> DeviceReport:
    state = "unknown" if link is None else _LINE_STATES[link.health]
    return DeviceReport(
        name=device.name,
        device_class=device.device_class,
        profile=device.profile_name,
        transport=device.transport,
        address=device.address,
        station=device.station,
        state=state,
        online=state == "online",
        detail="" if link is None else link.detail,
        last_seen=None if link is None else link.last_seen,
    )


def _unheard(device: ConfiguredDevice) -> DeviceReport:
    many = DEVICE in fleet_of(device).topics.captures
    return DeviceReport(
        name=device.name,
        device_class=device.device_class,
        profile=device.profile_name,
        fleet=device.name,
        transport="mqtt",
        address=device.address,
        station=device.station,
        state="unknown",
        online=False,
        detail="No device of this fleet was heard yet." if many else "It was not heard yet.",
    )
