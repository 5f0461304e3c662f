"""Devices with MQTT topics of their own: which section takes a topic, and what its device is
called. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.devices.intake import is_name
from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.topics import TopicFilter
from edge_contract.mqtt import ROOT

if TYPE_CHECKING:
    from edge_agent.devices.profiles.resolve import ConfiguredDevice

#: The capture that names the device.
DEVICE = "device"
#: Topics of devices that speak the contract, and of the agent's answers to them.
_OWN = TopicFilter.parse(f"{ROOT}/#")
_OTHER = re.compile(r"[^a-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Fleet:
    """One section of ``[devices]`` whose devices publish on topics of their own."""

    section: str
    topics: TopicFilter
    profile: ScannerProfile


def fleet_of(device: ConfiguredDevice) -> Fleet:
    """Raises ValueError with a sentence when the section cannot be one."""
    scanner = device.profile.scanner
    if scanner is None:
        raise ValueError(f"the profile {device.profile_name} is for no scanner: it has no topics")
    topics = TopicFilter.parse(device.address)
    if topics.overlaps(_OWN):
        raise ValueError(
            f"the topic {device.address} would take what devices publish on {ROOT}/…: "
            "name its first levels"
        )
    return Fleet(device.name, topics, scanner)


def fleets_of(devices: Sequence[ConfiguredDevice]) -> tuple[list[Fleet], list[str]]:
    """Every fleet, and a sentence for each mistake, which begins with its section."""
    fleets: list[Fleet] = []
    mistakes = []
    for device in devices:
        if device.transport != "mqtt":
            continue
        try:
            fleet = fleet_of(device)
        except ValueError as error:
            mistakes.append(f"devices.{device.name}: {error}.")
            continue
        mistakes += [
            f"devices.{fleet.section}: its topic {device.address} and that of "
            f"devices.{other.section} take the same messages: a message has one profile."
            for other in fleets
            if fleet.topics.overlaps(other.topics)
        ]
        fleets.append(fleet)
    return fleets, mistakes


def device_name(told: str) -> str | None:
    """What the agent calls a device that its topic calls ``told``: lower-case, and ``-`` for what
    no name has. ``None`` when nothing is left, or too much."""
    name = _OTHER.sub("-", told.lower()).lstrip("._-")
    return name if is_name(name) else None
