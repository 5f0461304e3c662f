"""What readers and apps with topics of their own say: a payload becomes readings, by its profile.

Nobody is answered: such a device forgets a read when the broker has it, so it is listed as at risk
and not told what became of the read. A device that wants to know speaks the contract (``wh/v1``).

A bad part of a payload leaves its neighbours alone. What is wrong with a payload is set aside once,
with all of its bytes. A read that does not say when it was made gets the time at which its message
came first; a retained one without a time is of no known age, and is counted and left.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from edge_agent.devices.intake import is_plausible
from edge_agent.devices.mqtt.arrivals import Arrivals
from edge_agent.devices.mqtt.fleet_routes import FleetRoutes
from edge_agent.devices.mqtt.fleet_status import read_status
from edge_agent.devices.mqtt.fleets import Fleet
from edge_agent.devices.mqtt.packets import Publish
from edge_agent.devices.presence.presence import Presence
from edge_agent.devices.profiles.schema import MqttStatus
from edge_agent.devices.scanners.duplicates import Duplicates
from edge_agent.devices.scanners.events import event_of
from edge_agent.devices.scanners.payloads import Payloads
from edge_agent.devices.scanners.reads import (
    MappedEvent,
    NoRead,
    PayloadResult,
    ScannerRead,
    UnreadableFrame,
)
from edge_agent.outbox.port import Reading, Unreadable
from edge_contract.event import MAX_EVENT_BYTES

#: Longest payload of a device with topics of its own: readers report some thousand tags at once.
MAX_PAYLOAD_BYTES = 256 * 1024
#: Complaints of one payload that are told in full.
_TOLD = 3

Count = Callable[[str], None]
Item = Reading | Unreadable


class FleetReader:
    """Reads the messages of every fleet. Belongs to the link's thread."""

    def __init__(
        self,
        fleets: Sequence[Fleet],
        presence: Presence,
        *,
        names: Collection[str] = (),
        arrivals: Arrivals | None = None,
        max_age: timedelta = timedelta(days=400),
    ) -> None:
        """``names``: every section of ``[devices]``; a fleet's device may bear none of another."""
        self._fleets = tuple(fleets)
        self._presence = presence
        self.arrivals = arrivals or Arrivals()
        self._max_age = max_age
        self._routes = FleetRoutes(self._fleets, presence, names)
        self._payloads = {fleet.section: Payloads(fleet.profile) for fleet in self._fleets}
        self._windows: dict[str, Duplicates] = {}

    @property
    def filters(self) -> dict[str, str]:
        """What to subscribe to, with the section that wants it."""
        return {fleet.topics.mqtt_filter: fleet.section for fleet in self._fleets}

    @property
    def status_filters(self) -> dict[str, str]:
        """The same for what devices say of themselves; what is retained there is always wanted."""
        return {
            fleet.status_topics.mqtt_filter: fleet.section
            for fleet in self._fleets
            if fleet.status_topics is not None
        }

    def read(self, said: Publish, now: datetime, count: Count, *, fresh: bool) -> tuple[Item, ...]:
        """What is to be stored of a message. ``fresh``: it did not wait anywhere."""
        route = self._routes.of(said.topic)
        if route is None:
            message = (
                "No section of [devices] takes this topic: the broker remembers a subscription of "
                "a former configuration. Let it forget the agent's session, or add the section."
            )
            return (_set_aside("", said, "unclaimed_topic", message, now),)
        fleet, captures, status = route
        device, trouble = self._routes.named(route)
        if status is not None:
            if trouble:  # its reads are set aside; saying it with each heartbeat would help nobody
                count("bad_statuses")
                return ()
            return self._status(status, device, said, captures, now, fresh=fresh)
        if trouble:
            return (_set_aside(device, said, "bad_device", trouble, now),)
        if said.size > len(said.payload) or said.size > MAX_PAYLOAD_BYTES:
            message = (
                f"The payload has {said.size} bytes; one of a reader has at most "
                f"{MAX_PAYLOAD_BYTES}. Its head is kept: let the reader report in smaller batches."
            )
            return (_set_aside(device, said, "too_large", message, now),)
        fresh = fresh and not said.retained
        results = self._payloads[fleet.section].read(said.payload, captures)
        items = self._items(fleet, device, said, results, now, count, fresh=fresh)
        if fresh and not items:
            self._presence.heard_life(device, now)
        return items

    def _status(
        self,
        profile: MqttStatus,
        device: str,
        said: Publish,
        captures: dict[str, str],
        now: datetime,
        *,
        fresh: bool,
    ) -> tuple[Item, ...]:
        fresh = fresh and not said.retained
        status = read_status(profile, said.payload, captures)
        if status is None:
            if fresh and said.payload:
                self._presence.heard_life(device, now)
            return ()
        reading = self._presence.heard_status(
            device, status, now, fresh=fresh, retained=said.retained, direct=False
        )
        return () if reading is None else (reading,)

    def _items(
        self,
        fleet: Fleet,
        device: str,
        said: Publish,
        results: Sequence[PayloadResult],
        now: datetime,
        count: Count,
        *,
        fresh: bool,
    ) -> tuple[Item, ...]:
        came: datetime | None = None
        items: list[Item] = []
        complaints: list[tuple[str, str]] = []
        for number, result in enumerate(results, start=1):
            if isinstance(result, NoRead):
                count("noreads")
                continue
            if isinstance(result, UnreadableFrame):
                complaints.append((result.code, _numbered(result.message, number, results)))
                continue
            if result.time is None and result.id is None and said.retained:
                count("retained_without_time")
                continue
            moment = result.time
            if moment is None:
                came = came or self.arrivals.of(said, now)
                result, moment = self._dated(device, result, came)
            if self._repeats(fleet, device, said, result, moment, fresh=fresh):
                count("repeated_reads")
                continue
            item = self._item(device, result, moment, now, fresh=fresh)
            if isinstance(item, Reading):
                items.append(item)
            else:
                complaints.append((item[0], _numbered(item[1], number, results)))
        if complaints:
            more = len(complaints) - _TOLD
            told = " ".join(message for _, message in complaints[:_TOLD])
            told += f" And {more} more." if more > 0 else ""
            items.append(_set_aside(device, said, complaints[0][0], told, now))
        return tuple(items)

    def _dated(
        self, device: str, result: ScannerRead | MappedEvent, came: datetime
    ) -> tuple[ScannerRead | MappedEvent, datetime]:
        """A read that does not say its time, and the time it gets."""
        if result.id is not None:  # sent again by its device it stays what it was
            return result, self.arrivals.of_own(f"{device}\0{result.id}", came)
        if result.sequence is not None:  # a counter may begin anew, and its reads are new then
            key = result.key + came.isoformat().encode()
            return replace(result, key=key), came
        return result, came

    def _repeats(
        self,
        fleet: Fleet,
        device: str,
        said: Publish,
        result: ScannerRead | MappedEvent,
        moment: datetime,
        *,
        fresh: bool,
    ) -> bool:
        window = fleet.profile.duplicate_window_s
        if not window or not isinstance(result, ScannerRead):
            return False
        if said.again:
            return False  # whether it was stored only the outbox knows, and it knows the id
        if result.time is None and not fresh:
            return False  # it waited, who knows how long
        seen = self._windows.get(device)
        if seen is None:
            seen = self._windows[device] = Duplicates(window)
        return seen.repeats(result, moment.timestamp())

    def _item(
        self,
        device: str,
        result: ScannerRead | MappedEvent,
        moment: datetime,
        now: datetime,
        *,
        fresh: bool,
    ) -> Reading | tuple[str, str]:
        event = event_of(device, result, moment)
        if isinstance(event, UnreadableFrame):
            return event.code, event.message
        if result.time is None:
            reading = Reading(device, event, now, 0, 0)  # the agent's clock is the device's
        else:
            clock = self._presence.clock_of(device, event.time, now)
            occurred = clock.corrected(event.time) if clock else event.time
            if not is_plausible(occurred, now, self._max_age):
                return "implausible_time", (
                    f"The read says {event.time:%Y-%m-%d %H:%M} UTC. Set the reader's clock, or "
                    "let the time of arrival count: override.scanner.read.time = []."
                )
            reading = (
                Reading(device, event, now)
                if clock is None
                else Reading(device, event, now, clock.offset_ms, clock.uncertainty_ms)
            )
        timed = result.time is not None
        self._presence.heard_event(device, event, now, fresh=fresh, direct=False, timed=timed)
        return reading


def _numbered(message: str, number: int, results: Sequence[PayloadResult]) -> str:
    return message if len(results) == 1 else f"Read {number} of {len(results)}: {message}"


def _set_aside(device: str, said: Publish, code: str, message: str, now: datetime) -> Unreadable:
    head = said.payload[:MAX_EVENT_BYTES]
    return Unreadable(device, said.topic, head, said.size, code, message, now)
