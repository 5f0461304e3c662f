"""Which fleet a topic belongs to, and what its device is called there. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from edge_agent.devices.intake import bad_name
from edge_agent.devices.mqtt.fleets import DEVICE, Fleet, device_name
from edge_agent.devices.presence.presence import Presence
from edge_agent.devices.profiles.schema import MqttStatus

#: Topics whose section is remembered.
_TOPICS = 20_000


class Route(NamedTuple):
    """Where a topic leads."""

    fleet: Fleet
    captures: dict[str, str]
    status: MqttStatus | None
    """Set when the topic is for what devices say of themselves."""


class FleetRoutes:
    """Belongs to the link's thread."""

    def __init__(self, fleets: Sequence[Fleet], presence: Presence, names: Collection[str]) -> None:
        """``names``: every section of ``[devices]``; a fleet's device may bear none of another."""
        self._fleets = tuple(fleets)
        self._presence = presence
        self._names = frozenset(names)
        self._known: dict[str, Route | None] = {}

    def of(self, topic: str) -> Route | None:
        """``None``: no fleet takes it."""
        try:
            return self._known[topic]
        except KeyError:
            pass
        found = None
        for fleet in self._fleets:
            if (captures := fleet.topics.match(topic)) is not None:
                found = Route(fleet, captures, None)
                break
            if (
                fleet.status_topics is not None
                and (captures := fleet.status_topics.match(topic)) is not None
            ):
                found = Route(fleet, captures, fleet.status)
                break
        if len(self._known) < _TOPICS:
            self._known[topic] = found
        return found

    def named(self, route: Route) -> tuple[str, str]:
        """The device's name, and what is wrong with it, if anything."""
        fleet, told = route.fleet, route.captures.get(DEVICE)
        if told is None:
            return fleet.section, self._presence.claim(fleet.section, fleet.section, "") or ""
        name = device_name(told)
        if name is None:
            return "", bad_name(told)
        if name in self._names and name != fleet.section:
            return name, (
                f"{told!r} of [devices.{fleet.section}] would be mixed up with [devices.{name}]: "
                "rename one of them."
            )
        return name, self._presence.claim(name, fleet.section, told) or ""
