"""Who is there, since when, with which clock, and what is missing. Pure state, one lock.

Changed by the link's thread, read by whoever wants to know.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from edge_agent.devices.presence.clock import ClockReading
from edge_agent.devices.presence.followed import DevicePresence, Followed
from edge_agent.outbox.port import Reading
from edge_contract.event import DeviceEvent
from edge_contract.mqtt import DeviceStatus
from edge_contract.scalars import instant_text

#: Most devices that are followed.
MAX_DEVICES = 10_000

_ECHO = timedelta(seconds=10)
_JUST_NOW = timedelta(seconds=30)


class Presence:
    """Every device of the site that was ever heard, as far as the agent remembers."""

    def __init__(self, oldest: timedelta = timedelta(days=400)) -> None:
        self._oldest = oldest
        self._devices: dict[str, Followed] = {}
        self._lock = threading.Lock()
        self.measured = 0
        """How often a clock was measured, a state changed or a name was taken; when it rises there
        is something new to remember."""
        self.time_wanted = False
        """A device told its time and has not heard ours lately: hearing it, it will answer, and the
        round trip measures its clock."""
        self.ignored = 0
        """Messages of devices beyond :data:`MAX_DEVICES`, which are stored but not tracked."""
        self._numbered: set[str] = set()
        """Devices whose numbers went on since :meth:`numbers_since` was asked."""

    def claim(self, device: str, section: str, told: str) -> str | None:
        """Whether what a fleet's topic calls ``told`` may go by ``device``; if not, a sentence.

        A name belongs to whoever publishes on ``wh/v1`` under it, else to the first.
        """
        with self._lock:
            known = self._device(device)
            if known is None:
                return None
            if known.direct:
                return (
                    f"A device on wh/v1 is called {device} already, and {told!r} of "
                    f"[devices.{section}] would be mixed up with it: rename one of them."
                )
            if known.owner is None:
                known.owner, known.at_risk = (section, told), True
                self.measured += 1
            elif known.owner != (section, told):
                other, first = known.owner
                return (
                    f"The name {device} belongs to {first!r} of [devices.{other}], and {told!r} of "
                    f"[devices.{section}] would be mixed up with it: rename one of them."
                )
        return None

    def heard_life(self, device: str, arrived: datetime) -> None:
        """A device of a fleet was heard and sent nothing to store."""
        with self._lock:
            known = self._device(device)
            if known is not None:
                known.heard(arrived)

    def heard_status(
        self,
        device: str,
        status: DeviceStatus,
        arrived: datetime,
        *,
        fresh: bool,
        retained: bool = False,
        direct: bool = True,
    ) -> Reading | None:
        """Take a status in; returns a ``device.state`` reading when the state changed.

        ``fresh`` is false for what may have waited in the broker: it tells nothing of the clock.
        A ``retained`` one tells how things stood before the agent came, which is no change.
        ``direct``: it came on ``wh/v1``, so the name is that device's own.
        """
        with self._lock:
            known = self._device(device)
            if known is None:
                return None
            changed = (known.state, known.boot) != (status.state, status.boot)
            first = known.state in ("unknown", "seen")
            if known.boot is not None and status.boot is not None and status.boot > known.boot:
                known.numbers.rebooted = True
            known.state, known.boot = status.state, status.boot
            known.direct = known.direct or direct
            known.at_risk = not status.waits_for_feedback
            if status.state == "online" and (fresh or _is_of(status.time, arrived)):
                known.last_seen = arrived  # a last will would be the broker's word
            self.measured += changed
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
        self,
        device: str,
        event: DeviceEvent,
        arrived: datetime,
        *,
        fresh: bool,
        direct: bool = True,
        timed: bool = True,
    ) -> None:
        """Take an event in: it shows life, may tighten the clock, and has a number of its own.

        ``direct``: it came on ``wh/v1``, so the name is that device's own. ``timed``: its time is
        the device's word; where it is of just now, it shows life even if it is not ``fresh``,
        because a floor that is never silent lets nothing be that.
        """
        with self._lock:
            known = self._device(device)
            if known is None:
                return
            if direct:
                known.direct = True
            if fresh:
                known.heard(arrived)
                if timed:
                    known.clock.event(event.time, arrived)
            elif timed and abs(arrived - event.time) <= _JUST_NOW:
                known.heard(arrived)
            if event.seq is not None:
                known.numbers.note(event.seq)
                self._numbered.add(device)

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

    def numbers_since(self) -> dict[str, Any]:
        """As :meth:`dump`, of the numbers that went on since this was asked last."""
        with self._lock:
            numbered, self._numbered = self._numbered, set()
            return {name: {"numbers": self._devices[name].numbers.dump()} for name in numbered}

    def dump(self) -> dict[str, Any]:
        """As JSON, what the next life of the agent cannot know in time."""
        with self._lock:
            return {name: known.dump() for name, known in self._devices.items()}

    def restore(self, dumped: dict[str, Any], sections: Collection[str] | None = None) -> None:
        """Take over what :meth:`dump` or :meth:`numbers_since` wrote; raises ValueError, KeyError
        or TypeError. A name that belongs to none of ``sections`` is free again."""
        with self._lock:
            for name, told in dumped.items():
                known = self._device(name)
                if known is not None:
                    known.restore(told, sections)

    def all_offline(self) -> None:
        """The broker is out of reach: nobody is known to be there."""
        with self._lock:
            for known in self._devices.values():
                known.state = "unknown"

    def devices(self, now: datetime) -> list[DevicePresence]:
        """Everybody, by name."""
        with self._lock:
            return [
                known.view(name, now, self._oldest) for name, known in sorted(self._devices.items())
            ]

    @property
    def followed(self) -> int:
        """How many devices there are."""
        return len(self._devices)

    def online(self) -> int:
        return self._count(lambda known: known.state == "online")

    def at_risk(self) -> tuple[str, ...]:
        """Devices that cannot wait for feedback: what they send may be lost before it is stored."""
        with self._lock:
            return tuple(sorted(name for name, known in self._devices.items() if known.at_risk))

    def _count(self, test: Callable[[Followed], bool]) -> int:
        with self._lock:
            return sum(map(test, self._devices.values()))

    def _device(self, name: str) -> Followed | None:
        known = self._devices.get(name)
        if known is None:
            if len(self._devices) >= MAX_DEVICES:
                self.ignored += 1
                return None
            known = self._devices[name] = Followed()
        return known


def _is_of(told: datetime | None, arrived: datetime) -> bool:
    return told is not None and abs(arrived - told) <= _JUST_NOW


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
