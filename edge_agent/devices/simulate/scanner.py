"""A scanner on a line that sends what it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.simulate.lines import Line, PtyLine
from edge_agent.devices.simulate.scanner_frames import framed, no_read, split_aim
from edge_agent.devices.simulate.wire import Wire

_PERIOD_S = 0.02


class SimulatedScanner:
    """A serial scanner: fire and forget, as all of them. ``port`` stays after replugging."""

    def __init__(
        self,
        profile: ScannerProfile | None = None,
        line: Line | None = None,
        *,
        on_heard: Callable[[bytes], object] = lambda _: None,
    ) -> None:
        """Without a profile it ends each read with CR, as most leave the factory. ``on_heard``
        gets what the other end says, such as that a read was stored."""
        self.profile = profile or ScannerProfile()
        self.wire = Wire(line or PtyLine())
        self.sent = 0
        """Reads sent so far, whether anybody listened or not."""
        self._on_heard = on_heard
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated-scanner", daemon=True)

    def __enter__(self) -> SimulatedScanner:
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

    def scan(self, barcode: str) -> None:
        """Send one read. An AIM identifier at its head (``]C1…``) is sent as the profile has it.

        Raises ValueError when the profile has no way to send it.
        """
        self.wire.say(framed(self.profile, *split_aim(barcode)))
        self.sent += 1

    def no_read(self) -> None:
        """Say that there was no label. Raises ValueError when the profile knows no such text."""
        self.wire.say(no_read(self.profile))

    def unplug(self) -> None:
        self.wire.line.unplug()

    def replug(self) -> None:
        self.wire.line.plug()

    def _run(self) -> None:
        """Takes what the other end says, so that it can never fill the line."""
        while not self._closing.wait(_PERIOD_S):
            heard = self.wire.hear()
            if heard:
                self._on_heard(heard)
