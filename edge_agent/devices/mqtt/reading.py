"""What an MQTT message says: an event, a status, or bytes to be looked at. Never raises."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from pydantic import ValidationError

from edge_agent.devices.intake import RESERVED_DEVICE, bad_name, device_of, is_name, read_event
from edge_agent.devices.links import Clock, Tally
from edge_agent.devices.mqtt.packets import Publish
from edge_agent.devices.mqtt.profiles import FleetReader, Item
from edge_agent.devices.presence.presence import Presence
from edge_agent.outbox.port import Reading, Unreadable
from edge_contract.event import MAX_EVENT_BYTES
from edge_contract.mqtt import ROOT, DeviceStatus

_log = logging.getLogger(__name__)

_OWN = f"{ROOT}/"

#: What is to be stored of one message, in one commit: nothing, one item, or all reads of a reader's
#: payload.
Items = tuple[Item, ...]


def is_event(said: Publish) -> bool:
    return device_of(said.topic, "event") is not None


class MessageReader:
    """Reads messages, and lets presence know of each."""

    def __init__(
        self,
        presence: Presence,
        clock: Clock,
        tally: Tally,
        max_age: timedelta,
        fleets: FleetReader | None = None,
    ) -> None:
        self._fleets = fleets
        self._presence = presence
        self._clock = clock
        self._tally = tally
        self._max_age = max_age

    def read(self, said: Publish, *, fresh: bool) -> Items:
        """What is to be stored of a message. ``fresh``: it did not wait anywhere."""
        now = self._clock()
        if self._fleets is not None and not said.topic.startswith(_OWN):
            return self._read_fleet(self._fleets, said, now, fresh=fresh)
        device = device_of(said.topic, "status")
        try:
            if device is not None:
                state = self._status(said, device, now, fresh=fresh and not said.retained)
                return () if state is None else (state,)
            item = read_event(
                said.topic,
                said.payload,
                now,
                self._presence.clock_of,
                size=said.size,
                max_age=self._max_age,
            )
            if isinstance(item, Reading):
                self._presence.heard_event(item.device, item.event, now, fresh=fresh)
        except Exception as error:  # noqa: BLE001 - a payload must never stop its neighbours
            return (_fault(said, device, error, now),)
        return (item,)

    def _read_fleet(
        self, fleets: FleetReader, said: Publish, now: datetime, *, fresh: bool
    ) -> Items:
        try:
            return fleets.read(said, now, self._tally.count, fresh=fresh)
        except Exception as error:  # noqa: BLE001 - a payload must never stop its neighbours
            return (_fault(said, None, error, now),)

    def _status(self, said: Publish, device: str, now: datetime, *, fresh: bool) -> Item | None:
        if device == RESERVED_DEVICE or not said.payload:
            return None
        if not is_name(device):
            self._tally.count("bad_statuses")
            if said.retained:
                return None
            return _unreadable(said, device, "bad_device", bad_name(device), now)
        try:
            status = DeviceStatus.model_validate_json(said.payload)
        except ValidationError as error:
            self._tally.count("bad_statuses")
            if said.retained:  # it was quarantined when it was news
                return None
            found = error.errors(include_url=False)[0]
            where = ".".join(map(str, found["loc"]))
            message = f"The device's status cannot be read: {where} {found['msg']}."
            return _unreadable(said, device, "bad_status", message, now)
        return self._presence.heard_status(device, status, now, fresh=fresh, retained=said.retained)


def _fault(said: Publish, device: str | None, error: Exception, now: datetime) -> Unreadable:
    _log.exception("A payload could not be read; it is quarantined")
    message = f"The agent failed while it read this payload: {error!r}. Report this defect."
    return _unreadable(said, device, "agent_fault", message, now)


def _unreadable(
    said: Publish, device: str | None, code: str, message: str, arrived: datetime
) -> Unreadable:
    name = device or device_of(said.topic, "event") or ""
    head = said.payload[:MAX_EVENT_BYTES]
    return Unreadable(name, said.topic, head, said.size, code, message, arrived)
