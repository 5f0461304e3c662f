"""The link to a scale on a serial line: polled, exclusive, reopened after it was unplugged.

One blocking thread a port. An unplugged adapter raises SerialException, OSError or termios.error
depending on the call it strikes, and pyserial never reopens a port by itself.
"""

from __future__ import annotations

import logging
import random
import termios
import threading
import time
from collections.abc import Callable
from typing import Literal

import serial
from pydantic import ValidationError

from edge_agent.devices.holding import Holding, reading_of
from edge_agent.devices.links import AppendBlocking, Clock, Health, LinkState, Tally, full_jitter
from edge_agent.devices.presence import state_reading
from edge_agent.devices.profiles.parts import SerialLine
from edge_agent.devices.profiles.resolve import ConfiguredDevice
from edge_agent.devices.scales.codec import Framer, scale_codec
from edge_agent.devices.scales.profile import ScaleProfile
from edge_agent.devices.scales.reading import ScaleReading, StableWeights

_log = logging.getLogger(__name__)

DeviceStatus = Literal["online", "offline", "fault"]

_GONE = (serial.SerialException, OSError, termios.error)
#: Polls without an answer until the scale counts as faulty.
_SILENT_POLLS = 3


class SerialScale:
    """Polls one scale; its stable weights become ``weight.measured``."""

    def __init__(
        self,
        device: ConfiguredDevice,
        append: AppendBlocking,
        clock: Clock,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = device.name
        self._port = device.address
        self._serial = device.profile.serial or SerialLine()
        self._settings = device.profile.scale or ScaleProfile(protocol="mt-sics")
        self._clock = clock
        self._chance = chance
        self._stopping = threading.Event()
        self._tally = Tally(device.name, "scale", clock)
        self._holding = Holding(append, self._tally, self._stopping)
        self._codec = scale_codec(self._settings)
        self._weights = StableWeights(self._settings.min_change, self._settings.settle)
        self._told: tuple[DeviceStatus, str] | None = None
        """The state that is on record."""
        self._thread = threading.Thread(target=self._run, name=f"scale-{self.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        self._tally.set("stopped")

    def state(self) -> LinkState:
        return self._tally.state()

    def _run(self) -> None:
        attempt = 0
        while not self._stopping.is_set():
            try:
                with self._open() as port:
                    attempt = 0
                    self._weights.forget()
                    self._poll(port)
            except _GONE as error:
                self._tell("offline", "down", f"The scale's port cannot be used: {error}")
            except Exception as error:  # noqa: BLE001 - an end of this thread would be silent
                _log.exception("The link to scale %s failed and opens its port again", self.name)
                self._tally.count("failures")
                self._tell("fault", "fault", f"The link failed: {error!r}. Report this defect.")
            attempt += 1
            cap = self._serial.reopen_max_s
            self._stopping.wait(full_jitter(attempt, self._chance(), base=0.1, cap=cap))

    def _open(self) -> serial.SerialBase:
        settings = self._serial
        return serial.serial_for_url(
            self._port,
            baudrate=settings.baudrate,
            bytesize=settings.bytesize,
            parity=settings.parity,
            stopbits=settings.stopbits,
            timeout=0.05,
            write_timeout=self._settings.reply_timeout_s,
            exclusive=True,
        )

    def _poll(self, port: serial.SerialBase) -> None:
        """Ask and listen until the link stops; raises one of ``_GONE`` when the port is gone."""
        lines = self._codec.framer()
        silent = 0
        while not self._stopping.is_set():
            request = self._codec.request()
            if request is not None:
                port.write(request)
            replies = self._listen(port, lines)
            silent = 0 if replies else silent + 1
            for line in replies:
                self._take(self._codec.decode(line))
            if silent >= _SILENT_POLLS:
                self._tell(
                    "fault", "fault", "The scale does not answer: check its cable and settings."
                )
            self._stopping.wait(self._settings.poll_interval_s)

    def _listen(self, port: serial.SerialBase, lines: Framer) -> list[bytes]:
        """The lines up to the first complete reply, or none when it takes too long."""
        deadline = time.monotonic() + self._settings.reply_timeout_s
        while time.monotonic() < deadline and not self._stopping.is_set():
            data = port.read(max(1, port.in_waiting))
            replies = lines.feed(data)
            if replies:
                return replies
        lines.clear()
        return []

    def _take(self, reading: ScaleReading) -> None:
        self._tally.count(reading.status if not reading.stable else "stable")
        if reading.status in {"overload", "underload"}:
            self._tell("fault", "fault", f"The scale reports {reading.status}.")
        elif reading.status == "error":
            self._tell("fault", "fault", f"The scale reports an error: {reading.said[:80]!r}.")
        elif reading.status == "ok":
            self._tell("online", "up", "")
            if self._weights.is_news(reading):
                self._store(reading)

    def _store(self, reading: ScaleReading) -> None:
        data = {
            "weight": reading.value,
            "uom": reading.unece,
            "net": reading.mode == "net",
            "said": reading.said,
        }
        try:
            event = reading_of(self.name, "weight.measured", self._clock(), data)
        except ValidationError:
            self._tally.count("unusable")  # a number the contract does not take, such as 0012
            return
        self._holding.store(event)
        self._tally.set("up")

    def _tell(self, status: DeviceStatus, health: Health, detail: str) -> None:
        """Show how the scale is, and put it on record when it changed."""
        self._tally.set(health, detail)
        news = (status, detail if status == "fault" else "")
        if news != self._told:
            self._told = news
            self._holding.store(state_reading(self.name, status, self._clock(), detail=detail))
            self._tally.set(health, detail)
