"""A scale of any protocol on a line, with faults on demand and a cable that can be pulled."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from edge_agent.devices.scales.codec import scale_codec
from edge_agent.devices.scales.encoding import Fault, encode
from edge_agent.devices.scales.profile import ScaleProfile
from edge_agent.devices.simulate.lines import Line, PtyLine
from edge_agent.devices.simulate.scale_commands import Answer, Ear
from edge_agent.devices.simulate.wire import Wire

#: How long its thread sleeps between two looks at the line.
_PERIOD_S = 0.01


class SimulatedScale:
    """Answers, or streams, what lies on it. ``port`` stays the same after replugging.

    Without arguments: MT-SICS on a pseudo-terminal. ``interval_s`` is between two frames of a
    scale that sends by itself.
    """

    def __init__(
        self,
        unit: str = "kg",
        *,
        profile: ScaleProfile | None = None,
        line: Line | None = None,
        interval_s: float = 0.1,
    ) -> None:
        self.unit = unit
        self.asked = 0
        """Commands heard so far."""
        self.profile = profile or ScaleProfile(protocol="mt-sics")
        self.wire = Wire(line or PtyLine(), self._pause)
        self._interval_s = interval_s
        self._frame = self._encoded("0.000")
        self._stable = True
        self._streams = scale_codec(self.profile).request() is None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated-scale", daemon=True)

    def __enter__(self) -> SimulatedScale:
        self.replug()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._thread.join(5)
        self.wire.line.close()

    @property
    def port(self) -> str:
        """Where it is: a path, or ``host:port``."""
        return self.wire.line.where

    @property
    def silent(self) -> bool:
        """Switched off: the line is there and nobody answers."""
        return self.wire.silent

    @silent.setter
    def silent(self, value: bool) -> None:
        self.wire.silent = value

    def put(self, weight: str, *, stable: bool = True) -> None:
        """Put so much on it, for example ``"12.345"``. Raises ValueError when its protocol cannot
        say that."""
        self._show(self._encoded(weight, stable=stable), stable=stable)

    def fault(self, fault: Fault) -> None:
        """Show a fault and no weight. Raises ValueError when its protocol has none such."""
        self._show(encode(self.profile, unit=self.unit, fault=fault), stable=fault != "motion")

    def move(self) -> None:
        """Be in motion: the protocol's word for it, or its unstable weight where it has none."""
        try:
            self.fault("motion")
        except ValueError:
            self.put("0.000", stable=False)

    def say(self, reply: str) -> None:
        """Say this line instead of a weight: ``"S +"``, ``"S I"``, ``"ES"`` …"""
        self.say_bytes(f"{reply}\r\n".encode())

    def say_bytes(self, frame: bytes) -> None:
        """Say exactly this instead of a weight."""
        self._show(frame, stable=True)

    def noise(self, data: bytes) -> None:
        """Put bytes on the line unasked."""
        self.wire.noise(data)

    def unplug(self) -> None:
        self.wire.line.unplug()

    def replug(self) -> None:
        self.wire.line.plug()

    def _encoded(self, weight: str, *, stable: bool = True) -> bytes:
        return encode(self.profile, value=weight, unit=self.unit, stable=stable)

    def _show(self, frame: bytes, *, stable: bool) -> None:
        self._frame, self._stable = frame, stable

    def _run(self) -> None:
        ear = Ear(self.profile)
        due = 0.0
        while not self._closing.wait(_PERIOD_S):
            for answer in ear.hear(self.wire.hear()):
                self.asked += 1
                self._answer(answer)
            if self._streams and time.monotonic() >= due:
                due = time.monotonic() + self._interval_s
                self.wire.say(self._frame)

    def _answer(self, answer: Answer) -> None:
        if isinstance(answer, bytes):
            self.wire.say(answer)
        elif answer == "weight":
            self.wire.say(self._frame)
        elif answer == "stable":
            self.wire.say(self._frame if self._stable else self._not_yet())
        elif answer == "status":
            self.wire.say(self._status())
        elif answer in {"stream", "stop"}:
            self._streams = answer == "stream"

    def _not_yet(self) -> bytes:
        """What is said to somebody who wants a stable weight while there is none."""
        return encode(self.profile, unit=self.unit, fault="motion")

    def _status(self) -> bytes:
        """The status alone: in SCP-01 the last line of a frame, in 8217 that all is well."""
        if self.profile.protocol == "nci-scp01":
            return b"\n" + self._frame.rpartition(b"\n")[2]
        return b"\x02?\x40\r"

    def _pause(self, seconds: float) -> None:
        self._closing.wait(seconds)
