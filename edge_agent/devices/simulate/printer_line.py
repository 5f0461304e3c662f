"""A label printer of any language on a pseudo-terminal or a TCP port, to be run by hand."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

from edge_agent.devices.simulate.lines import Line
from edge_agent.devices.simulate.printer_machine import PrinterMachine
from edge_agent.devices.simulate.wire import Wire

_PERIOD_S = 0.01


class PrinterOnLine:
    """Joins a :class:`PrinterMachine` and a line. ``on_label`` gets every job that was printed."""

    def __init__(
        self,
        machine: PrinterMachine,
        line: Line,
        on_label: Callable[[bytes], object] = lambda _: None,
    ) -> None:
        self.machine = machine
        self.wire = Wire(line, self._pause)
        self.alerts_to: tuple[str, int] | None = None
        """Where it pushes alerts."""
        self._on_label = on_label
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated-printer", daemon=True)

    def __enter__(self) -> PrinterOnLine:
        self.wire.line.plug()
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

    def _run(self) -> None:
        told = 0
        while not self._closing.wait(_PERIOD_S):
            self.machine.alerts = self.alerts_to is not None
            data, now = self.wire.hear(), time.monotonic()
            for answer in self.machine.hear(data, now) if data else self.machine.work(now):
                self.wire.say(answer)
            for label in self.machine.labels[told:]:
                self._on_label(label)
            told = len(self.machine.labels)
            self._push()

    def _push(self) -> None:
        """Each alert is a connection of its own, as Zebra's printers make one."""
        while self.machine.pushed and self.alerts_to is not None:
            alert = self.machine.pushed.pop(0)
            with (
                contextlib.suppress(OSError),
                socket.create_connection(self.alerts_to, 1) as connection,
            ):
                connection.sendall(alert)

    def _pause(self, seconds: float) -> None:
        self._closing.wait(seconds)
