"""Who is there, since when, with which clock, and what is missing. Pure state, one lock.

Changed by the link's thread, read by whoever wants to know.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from edge_agent.devices.clock import ClockReading, DeviceClock
from edge_agent.outbox.port import Reading
from edge_contract.event import DeviceEvent
from edge_contract.mqtt import DeviceStatus
from edge_contract.scalars import instant_text

#: Most devices that are remembered, and most open gaps of one device.
MAX_DEVICES = 10_000
MAX_GAPS = 100

_ECHO = timedelta(seconds=10)

State = Literal["online", "offline", "unknown"]


@dataclass(frozen=True, slots=True)
class DevicePresence:
    """One device, as of now."""

    device: str
    state: State
    boot: int | None
    last_seen: datetime | None
    at_risk: bool
    """It forgets events without our acknowledgement."""
    clock: ClockReading | None
    clock_steps: int
    missing: int
    """Numbers of its own counter that never arrived."""
    gaps: tuple[tuple[int, int], ...]
    """First and last of each run of missing numbers, oldest first."""


@dataclass(slots=True)
class _Device:
    state: State = "unknown"
    boot: int | None = None
    last_seen: datetime | None = None
    at_risk: bool = False
    clock: DeviceClock = field(default_factory=DeviceClock)
    newest: int | None = None
    gaps: list[tuple[int, int]] = field(default_factory=list)


class Presence:
    """Every device of the site that was ever heard since the agent started."""

    def __init__(self, oldest: timedelta = timedelta(days=400)) -> None:
        self._oldest = oldest
        self._devices: dict[str, _Device] = {}
        self._lock = threading.Lock()
        self.measured = 0
        """How often a clock was measured; when it rises there is something new to remember."""
        self.time_wanted = False
        """A device told its time and has not heard ours lately: hearing it, it will answer, and the
        round trip measures its clock."""
        self.ignored = 0
        """Messages of devices beyond :data:`MAX_DEVICES`, which are stored but not tracked."""

    def heard_status(
        self,
        device: str,
        status: DeviceStatus,
        arrived: datetime,
        *,
        fresh: bool,
        retained: bool = False,
    ) -> Reading | None:
        """Take a status in; returns a ``device.state`` reading when the state changed.

        ``fresh`` is false for what may have waited in the broker: it tells nothing of the clock.
        A ``retained`` one tells how things stood before the agent came, which is no change.
        """
        with self._lock:
            known = self._device(device)
            if known is None:
                return None
            changed = (known.state, known.boot) != (status.state, status.boot)
            first = known.state == "unknown"
            known.state, known.boot = status.state, status.boot
            known.at_risk = not status.waits_for_feedback
            if fresh:
                known.last_seen = arrived
            if status.time is not None and status.state == "online":
                # what repeats a recent time of the agent is recent, wherever it waited
                echo = status.heard is not None and timedelta(0) <= arrived - status.heard <= _ECHO
                self.time_wanted = self.time_wanted or not echo
                if fresh or echo:
                    known.clock.status(status.time, arrived, status.heard if echo else None)
                    self.measured += 1
                else:
                    known.clock.event(status.time, arrived)
            if not changed or (first and retained):
                return None
        return state_reading(device, status.state, arrived, status.boot)

    def heard_event(
        self, device: str, event: DeviceEvent, arrived: datetime, *, fresh: bool
    ) -> None:
        """Take an event in: it shows life, may tighten the clock, and has a number of its own."""
        with self._lock:
            known = self._device(device)
            if known is None:
                return
            if fresh:
                known.last_seen = arrived
                known.clock.event(event.time, arrived)
            if event.seq is not None:
                _number(known, event.seq)

    def clock_of(self, device: str, told: datetime, arrived: datetime) -> ClockReading | None:
        """What is known of the device's clock for an event that says ``told``."""
        with self._lock:
            known = self._devices.get(device)
            return known.clock.reading(told, arrived, self._oldest) if known else None

    def agent_stepped(self, by: timedelta) -> None:
        """The agent's own clock was set by so much."""
        with self._lock:
            for known in self._devices.values():
                known.clock.agent_stepped(by)

    def dump(self) -> dict[str, Any]:
        """The clocks as JSON: what the next life of the agent cannot measure in time."""
        with self._lock:
            clocks = {name: known.clock.dump() for name, known in self._devices.items()}
        return {name: clock for name, clock in clocks.items() if clock}

    def restore(self, dumped: dict[str, Any]) -> None:
        """Take over what :meth:`dump` wrote; raises ValueError, KeyError or TypeError."""
        with self._lock:
            for name, clock in dumped.items():
                known = self._device(name)
                if known is not None:
                    known.clock.restore(clock)

    def all_offline(self) -> None:
        """The broker is out of reach: nobody is known to be there."""
        with self._lock:
            for known in self._devices.values():
                known.state = "unknown"

    def devices(self, now: datetime) -> list[DevicePresence]:
        """Everybody, by name."""
        with self._lock:
            return [self._view(name, known, now) for name, known in sorted(self._devices.items())]

    def online(self) -> int:
        return self._count(lambda known: known.state == "online")

    def at_risk(self) -> tuple[str, ...]:
        """Devices that cannot wait for feedback: what they send may be lost before it is stored."""
        with self._lock:
            return tuple(sorted(name for name, known in self._devices.items() if known.at_risk))

    def _count(self, test: Callable[[_Device], bool]) -> int:
        with self._lock:
            return sum(map(test, self._devices.values()))

    def _device(self, name: str) -> _Device | None:
        known = self._devices.get(name)
        if known is None:
            if len(self._devices) >= MAX_DEVICES:
                self.ignored += 1
                return None
            known = self._devices[name] = _Device()
        return known

    def _view(self, name: str, known: _Device, now: datetime) -> DevicePresence:
        return DevicePresence(
            device=name,
            state=known.state,
            boot=known.boot,
            last_seen=known.last_seen,
            at_risk=known.at_risk,
            clock=known.clock.reading(now, now, self._oldest),
            clock_steps=known.clock.steps,
            missing=sum(last - first + 1 for first, last in known.gaps),
            gaps=tuple(known.gaps),
        )


def _number(known: _Device, seq: int) -> None:
    """Note the device's own number of an event: later numbers open gaps, late ones close them."""
    if known.newest is None or seq == known.newest + 1:
        known.newest = seq
        return
    if seq > known.newest:
        known.gaps.append((known.newest + 1, seq - 1))
        del known.gaps[:-MAX_GAPS]
        known.newest = seq
        return
    for index, (first, last) in enumerate(known.gaps):
        if first <= seq <= last:
            parts = [(first, seq - 1), (seq + 1, last)]
            known.gaps[index : index + 1] = [part for part in parts if part[0] <= part[1]]
            return


def state_reading(
    device: str,
    status: Literal["online", "offline", "fault"],
    at: datetime,
    boot: int | None = None,
    detail: str = "",
) -> Reading:
    """A ``device.state`` event made by the agent itself."""
    data = {"status": status, "detail": detail}
    text = "\0".join((device, status, detail, str(boot), instant_text(at)))
    identity = UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=5)
    event = DeviceEvent(
        id=identity,
        kind="device.state",
        time=at,
        data=data if boot is None else {**data, "boot": boot},
    )
    return Reading(device, event, at, 0, 0)
