"""The link to a scale on a line: asks it or listens to it, shows what it says, stores weights.

Held true here: only a stable weight becomes ``weight.measured``; a fault, motion or silence never
does. A weight that waited while the outbox had no room keeps its time, and what the scale said
meanwhile is thrown away and counted, because it would be told as if it lay there now.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from edge_agent.devices.holding import Holding
from edge_agent.devices.links import AppendBlocking, Clock, LinkState, Tally, spectator
from edge_agent.devices.live import Tap
from edge_agent.devices.ports.keeping import PortThread
from edge_agent.devices.ports.port import SerialPort
from edge_agent.devices.ports.troubles import PortSilent, PortStuck, PortTrouble
from edge_agent.devices.presence.standing import Standing
from edge_agent.devices.profiles.resolve import ConfiguredDevice
from edge_agent.devices.scales.codec import scale_codec, start_bytes
from edge_agent.devices.scales.pace import Pace
from edge_agent.devices.scales.profile import ScaleProfile
from edge_agent.devices.scales.reading import ScaleReading
from edge_agent.devices.scales.watching import Watching

#: Sees every reading as it comes, in the link's thread: device and reading.
Observe = Callable[[str, ScaleReading], None]

#: Polls without an answer until the scale counts as faulty.
_SILENT_POLLS = 3
#: A line that was quiet for so long has no half frame on it that goes on.
_QUIET_S = 1.0
#: What is read after storing took so long is no longer what the scale shows.
_STALE_S = 1.0
_SILENT = "The scale does not answer: check its power, its cable and the line settings."


class ScaleLink:
    """One scale, polled or streaming, of any protocol."""

    def __init__(
        self,
        device: ConfiguredDevice,
        append: AppendBlocking,
        clock: Clock,
        *,
        observe: Observe | None = None,
        tap: Tap | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = device.name
        self._settings = device.profile.scale or ScaleProfile(protocol="mt-sics")
        self._stopping = threading.Event()
        self._tally = Tally(device.name, "scale", clock)
        holding = Holding(append, self._tally, self._stopping)
        self._standing = Standing(device.name, self._tally, holding, clock)
        self._watching = Watching(
            device.name, self._settings, self._tally, self._standing, holding, clock
        )
        self._watch = spectator(device.name, observe)
        self._codec = scale_codec(self._settings)
        self._start = start_bytes(self._settings)
        self._request = self._codec.request()
        self._asked = None if self._request is None else self._request.decode("latin-1").strip()
        self._framer = self._codec.framer()
        self._pace = Pace(self._settings.poll_interval_s)
        self._same = b"", self._codec.decode(b"", self._asked)
        """The last frame and what it says."""
        self._port = SerialPort(device, tap)
        self._thread = PortThread(
            f"scale-{device.name}",
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
        self._watching.forget()
        self._framer = self._codec.framer()
        if self._start is not None:
            self._port.write(self._start)
        if self._request is None:
            self._listen()
        else:
            self._poll(self._request)

    def _poll(self, request: bytes) -> None:
        # What runs already shows now: only a quiet line lets clear() trust the next line as whole.
        self._hear(self._settings.poll_interval_s)
        silent = 0
        while not self._stopping.is_set():
            self._framer.clear()
            self._port.write(request)
            if self._hear(self._settings.reply_timeout_s, one=True):
                silent = 0
            else:
                silent += 1
                self._pace.silent()
                self._tally.count("silent_polls")
                self._framer.clear()
            if silent >= _SILENT_POLLS:
                self._silent()
            self._hear(self._pace.wait_s)

    def _listen(self) -> None:
        heard = time.monotonic()
        while not self._stopping.is_set():
            if self._hear(_QUIET_S):
                heard = time.monotonic()
                continue
            self._framer.clear()
            if time.monotonic() - heard >= self._settings.silence_s:
                heard = time.monotonic()
                self._silent()
                if self._start is not None:  # it was switched off and has forgotten
                    self._port.write(self._start)

    def _hear(self, seconds: float, *, one: bool = False) -> bool:
        """Take what comes in so many seconds, or only the first frames; whether there were any."""
        deadline, heard = time.monotonic() + seconds, False
        while not self._stopping.is_set():
            left = deadline - time.monotonic()
            data = self._port.read(max(0.0, left))
            if not data:
                break
            dropped = self._framer.dropped
            frames = self._framer.feed(data)
            self._tally.count_if("noise_bytes", self._framer.dropped - dropped)
            for number, frame in enumerate(frames):
                heard = True
                if self._take(frame):
                    self._tally.count_if("stale_frames", len(frames) - number - 1)
                    self._tally.count_if("stale_bytes", self._port.discard())
                    self._framer = self._codec.framer()
                    return True
            if (one and heard) or left <= 0:
                break
        return heard

    def _take(self, frame: bytes) -> bool:
        """What one frame says; whether storing it took so long that what follows is old."""
        alike = frame == self._same[0]
        self._pace.heard(alike=alike)
        if not alike:  # most of the time nothing happens on a scale
            self._same = frame, self._codec.decode(frame, self._asked)
        reading = self._same[1]
        self._watch(reading)
        begin = time.monotonic()
        self._watching.take(reading)
        return time.monotonic() - begin > _STALE_S and not self._settings.silence_ok

    def _silent(self) -> None:
        if self._settings.silence_ok:
            return
        self._watching.silent(_SILENT)
        if self._port.on_network:
            raise PortSilent(_SILENT)

    def _trouble(self, trouble: PortTrouble) -> None:
        if isinstance(trouble, PortSilent | PortStuck):
            self._standing.tell("fault", str(trouble))
        else:
            self._standing.tell("offline", str(trouble))

    def _failed(self, error: Exception) -> None:
        self._tally.count("failures")
        self._standing.tell("fault", f"The link failed: {error!r}. Report this defect.")
