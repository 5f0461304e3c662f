"""The link to a scanner on a line: what it reads is stored, and only then acknowledged.

Held true here: every frame that comes is stored, quarantined, or counted as a repeat, a no-read or
noise. While the outbox has no room nothing more is read from the port, so flow control holds the
scanner back; what the kernel has to drop then is counted where it tells.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from edge_agent.devices.holding import Holding
from edge_agent.devices.intake import is_plausible
from edge_agent.devices.links import AppendBlocking, Clock, LinkState, Tally, spectator
from edge_agent.devices.live import Tap
from edge_agent.devices.ports.keeping import PortThread
from edge_agent.devices.ports.port import SerialPort
from edge_agent.devices.ports.troubles import PortStuck, PortTrouble
from edge_agent.devices.presence.standing import Standing
from edge_agent.devices.profiles.resolve import ConfiguredDevice
from edge_agent.devices.scanners.duplicates import Duplicates
from edge_agent.devices.scanners.events import event_of
from edge_agent.devices.scanners.line_frames import line_frames
from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.reads import (
    MappedEvent,
    NoRead,
    PayloadResult,
    ScannerRead,
    UnreadableFrame,
    unreadable,
)
from edge_agent.outbox.port import Reading, Unreadable

#: Sees every result as it comes, in the link's thread: device and result.
ObserveReads = Callable[[str, PayloadResult], None]

#: Nothing to do but listen.
_IDLE_S = 60.0
_TICK = timedelta(microseconds=1)
#: Older than this, a read's own time is no time.
_MAX_AGE = timedelta(days=400)


class Frames(Protocol):
    """Cuts the bytes of one opening of the port into results."""

    @property
    def pending(self) -> int: ...

    @property
    def dropped(self) -> int: ...

    def feed(self, data: bytes) -> Sequence[PayloadResult]: ...

    def idle(self) -> Sequence[PayloadResult]: ...


class ScannerLink:
    """One scanner on a serial line or a TCP port."""

    def __init__(
        self,
        device: ConfiguredDevice,
        append: AppendBlocking,
        clock: Clock,
        *,
        observe: ObserveReads | None = None,
        tap: Tap | None = None,
        chance: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = device.name
        self._profile = device.profile.scanner or ScannerProfile()
        self._flush_s = self._profile.frame.idle_flush_s
        self._clock, self._monotonic = clock, monotonic
        self._watch = spectator(device.name, observe)
        self._stopping = threading.Event()
        self._tally = Tally(device.name, "scanner", clock)
        self._holding = Holding(append, self._tally, self._stopping)
        self._standing = Standing(device.name, self._tally, self._holding, clock)
        self._duplicates = Duplicates(self._profile.duplicate_window_s)
        self._newest: datetime | None = None
        self._port = SerialPort(device, tap)
        self._thread = PortThread(
            f"scanner-{device.name}",
            self._port,
            self._serve,
            self._trouble,
            self._failed,
            stopping=self._stopping,
            chance=chance,
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        self._thread.stop(timeout)
        self._tally.set("stopped")

    def state(self) -> LinkState:
        state = self._tally.state()
        lost = {f"line_{name}": count for name, count in self._port.lost.items() if count}
        return replace(state, counters={**state.counters, **lost}) if lost else state

    def _serve(self) -> None:
        frames: Frames = line_frames(self._profile)
        self._standing.tell("online")
        while not self._stopping.is_set():
            waits = self._flush_s is not None and frames.pending > 0
            data = self._port.read(self._flush_s if waits and self._flush_s else _IDLE_S)
            dropped = frames.dropped
            results = frames.feed(data) if data else frames.idle() if waits else ()
            self._tally.count_if("noise_bytes", frames.dropped - dropped)
            if results:
                self._take(results)

    def _take(self, results: Sequence[PayloadResult]) -> None:
        """Store what was read in one commit, then say so to the scanner."""
        items: list[Reading | Unreadable] = []
        good = 0
        for result in results:
            self._watch(result)
            if isinstance(result, NoRead):
                self._tally.count("noreads")
                self._tally.seen("no read")
                continue
            if not isinstance(result, UnreadableFrame):
                self._tally.seen(_shown(result))
                good += 1
                if self._repeats(result):
                    self._tally.count("repeated_reads")
                    continue
            item = self._item(result)
            good -= isinstance(item, Unreadable) and not isinstance(result, UnreadableFrame)
            items.append(item)
        if items and not self._holding.store(*items):
            return
        bad = sum(isinstance(item, Unreadable) for item in items)
        self._tally.count_if("unreadable", bad)
        if items:
            self._tally.set("up")
        self._answer(good, bad)

    def _item(self, result: ScannerRead | MappedEvent | UnreadableFrame) -> Reading | Unreadable:
        arrived = self._moment()
        if isinstance(result, UnreadableFrame):
            return self._set_aside(result, arrived)
        if result.time is None and result.id is None:
            # A counter may begin anew, and what a line says comes once.
            result = replace(result, key=result.key + arrived.isoformat().encode())
        event = event_of(self.name, result, arrived)
        if isinstance(event, UnreadableFrame):
            return self._set_aside(event, arrived)
        if result.time is None:
            return Reading(self.name, event, arrived, 0, 0)  # our clock is the device's clock
        if not is_plausible(event.time, arrived, _MAX_AGE):
            message = (
                f"The read says {event.time:%Y-%m-%d %H:%M} UTC. Set the scanner's clock, or let "
                "the time of arrival count: override.scanner.read.time = []."
            )
            said = event.model_dump_json().encode()
            return self._set_aside(unreadable(said, "implausible_time", message), arrived)
        return Reading(self.name, event, arrived)

    def _set_aside(self, frame: UnreadableFrame, arrived: datetime) -> Unreadable:
        origin = self._port.address
        return Unreadable(
            self.name, origin, frame.raw, frame.size, frame.code, frame.message, arrived
        )

    def _moment(self) -> datetime:
        """Now; no two reads have one moment, because two scans of one label are two reads."""
        now = self._clock()
        if self._newest is not None:
            now = max(now, self._newest + _TICK)
        self._newest = now
        return now

    def _repeats(self, result: ScannerRead | MappedEvent) -> bool:
        if not isinstance(result, ScannerRead):
            return False
        return self._duplicates.repeats(result, self._monotonic())

    def _answer(self, good: int, bad: int) -> None:
        """What the scanner is told, where its profile says how: only what is stored is good."""
        said = _times(self._profile.answer_good, good) + _times(self._profile.answer_bad, bad)
        if said:
            self._port.write(said)

    def _trouble(self, trouble: PortTrouble) -> None:
        self._standing.tell("fault" if isinstance(trouble, PortStuck) else "offline", str(trouble))

    def _failed(self, error: Exception) -> None:
        self._tally.count("failures")
        self._standing.tell("fault", f"The link failed: {error!r}. Report this defect.")


def _shown(result: ScannerRead | MappedEvent) -> str:
    return result.data if isinstance(result, ScannerRead) else result.kind


def _times(answer: str | None, count: int) -> bytes:
    return answer.encode("latin-1") * count if answer is not None else b""
