"""The link to a label printer: asks for its host status over TCP, and tells when it changes.

Each poll is a connection of its own: most printers take one at a time on port 9100, and a held
connection would keep the labels of others waiting.
"""

from __future__ import annotations

import logging
import socket
import threading
import time

from edge_agent.devices.holding import Holding, reading_of
from edge_agent.devices.links import AppendBlocking, Clock, Health, LinkState, Tally
from edge_agent.devices.printers.profile import PrinterProfile
from edge_agent.devices.profiles.resolve import ConfiguredDevice
from edge_agent.devices.zpl import COMMAND, HostStatusReader, State

_log = logging.getLogger(__name__)

#: What a printer is, its conditions, and what it said.
Seen = tuple[State, tuple[str, ...], str]

_HEALTH: dict[State, Health] = {
    "ok": "up",
    "busy": "up",
    "paused": "up",
    "attention": "fault",
    "error": "fault",
    "offline": "down",
}
_REMEDY = {
    "no_answer": "The printer does not answer: check media, ribbon and head.",
    "incomplete_answer": "The printer's answer broke off: check its network.",
    "bad_answer": "The printer answers something else than a ZPL host status: check its language.",
    "unreachable": "The printer cannot be reached: check its power and network.",
}


class Printer:
    """Polls one ZPL printer; changes become ``printer.state``."""

    def __init__(self, device: ConfiguredDevice, append: AppendBlocking, clock: Clock) -> None:
        self.name = device.name
        self._address = device.address.rpartition(":")
        self._settings = device.profile.printer or PrinterProfile(language="zpl")
        self._clock = clock
        self._stopping = threading.Event()
        self._tally = Tally(device.name, "printer", clock)
        self._holding = Holding(append, self._tally, self._stopping)
        self._told: tuple[State, tuple[str, ...]] | None = None
        self._thread = threading.Thread(target=self._run, name=f"printer-{self.name}", daemon=True)

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
        while not self._stopping.is_set():
            try:
                self._tell(self._ask())
            except Exception as error:  # noqa: BLE001 - an end of this thread would be silent
                _log.exception("The link to printer %s failed and goes on", self.name)
                self._tally.count("failures")
                self._tally.set("fault", f"The link failed: {error!r}. Report this defect.")
            self._stopping.wait(self._settings.poll_interval_s)

    def _ask(self) -> Seen:
        """One poll: connect, ask, wait for the whole answer."""
        self._tally.count("polls")
        address = (self._address[0].strip("[]"), int(self._address[2]))
        try:
            connection = socket.create_connection(address, self._settings.timeout_s)
        except OSError:
            return "offline", ("unreachable",), ""
        with connection:
            return self._converse(connection, HostStatusReader())

    def _converse(self, connection: socket.socket, reader: HostStatusReader) -> Seen:
        """Ask on an open connection. Silence, half an answer and nonsense are states, too."""
        deadline = time.monotonic() + self._settings.timeout_s
        try:
            connection.sendall(COMMAND)
            while (left := deadline - time.monotonic()) > 0 and not self._stopping.is_set():
                connection.settimeout(min(left, 0.5))
                try:
                    data = connection.recv(4096)
                except TimeoutError:
                    continue
                if not data:
                    break
                status = reader.feed(data)
                if status is not None:
                    return status.state(), status.conditions(), reader.text
        except ValueError:
            return "error", ("bad_answer",), reader.text
        except OSError:  # it took the connection and dropped it: there, and not well
            pass
        return "error", ("incomplete_answer" if reader.begun else "no_answer",), reader.text

    def _tell(self, seen: Seen) -> None:
        """Show the state, and put it on record when it changed."""
        if self._stopping.is_set():
            return
        state, conditions, said = seen
        detail = next((_REMEDY[one] for one in conditions if one in _REMEDY), ", ".join(conditions))
        self._tally.set(_HEALTH[state], detail)
        if (state, conditions) == self._told:
            return
        self._told = (state, conditions)
        data = {"status": state, "conditions": list(conditions), "said": said[:500]}
        self._holding.store(reading_of(self.name, "printer.state", self._clock(), data))
        self._tally.set(_HEALTH[state], detail)
