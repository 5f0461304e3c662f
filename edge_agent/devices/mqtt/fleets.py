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
    from edge_agent.devices.profiles.schema import MqttStatus

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
    status_topics: TopicFilter | None = None
    status: MqttStatus | None = None


def fleet_of(device: ConfiguredDevice) -> Fleet:
    """Raises ValueError with a sentence when the section cannot be one."""
    scanner = device.profile.scanner
    if scanner is None:
        raise ValueError(f"the profile {device.profile_name} is for no scanner: it has no topics")
    topics = _topics(device.address)
    status = None if device.profile.mqtt is None else device.profile.mqtt.status
    if status is None:
        return Fleet(device.name, topics, scanner)
    states = _topics(status.topic)
    if (DEVICE in states.captures) != (DEVICE in topics.captures):
        raise ValueError(
            f"the status topic {status.topic} and the topic {device.address} must both have "
            "{device}, or neither"
        )
    if states.overlaps(topics):
        raise ValueError(
            f"the status topic {status.topic} takes reads, too: give it one of its own"
        )
    return Fleet(device.name, topics, scanner, states, status)


def _topics(text: str) -> TopicFilter:
    topics = TopicFilter.parse(text)
    if topics.overlaps(_OWN):
        raise ValueError(
            f"the topic {text} would take what devices publish on {ROOT}/…: name its first levels"
        )
    return topics


def _overlap(one: Fleet, two: Fleet) -> bool:
    return any(
        a.overlaps(b)
        for a in (one.topics, one.status_topics)
        for b in (two.topics, two.status_topics)
        if a is not None and b is not None
    )


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
            if _overlap(fleet, other)
        ]
        fleets.append(fleet)
    return fleets, mistakes


def device_name(told: str) -> str | None:
    """What the agent calls a device that its topic calls ``told``: lower-case, and ``-`` for what
    no name has. ``None`` when nothing is left, or too much."""
    name = _OTHER.sub("-", told.lower()).lstrip("._-")
    return name if is_name(name) else None
