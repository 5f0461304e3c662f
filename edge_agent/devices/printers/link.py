"""The link to a label printer: polls it, hears its alerts, and prints one job at a time.

Over TCP each poll is a connection of its own, unless the profile says ``keep_open``; a job holds
one connection from its first byte to its last proof. A serial port is held.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from edge_agent.devices.holding import Holding, reading_of
from edge_agent.devices.links import AppendBlocking, Clock, Health, LinkState, Tally, spectator
from edge_agent.devices.live import Tap
from edge_agent.devices.printers.alerts_port import AlertsPort
from edge_agent.devices.printers.asking import Conversation
from edge_agent.devices.printers.jobs import PrintJob
from edge_agent.devices.printers.languages import Poll, poll, sieve
from edge_agent.devices.printers.line import PrinterLine, open_line
from edge_agent.devices.printers.orders import Order, Orders
from edge_agent.devices.printers.printing import Heard, Printing, PrintResult
from edge_agent.devices.printers.profile import PrinterProfile
from edge_agent.devices.printers.state import (
    REMEDY,
    PrinterPicture,
    Seen,
    State,
    StateChanges,
    seen,
)
from edge_agent.devices.printers.zebra_alert import CONDITIONS, alert
from edge_agent.devices.profiles.resolve import ConfiguredDevice

_log = logging.getLogger(__name__)

_HEALTH: dict[State, Health] = {
    "ok": "up",
    "busy": "up",
    "paused": "up",
    "attention": "fault",
    "error": "fault",
    "offline": "down",
}
#: How long a held line is listened to at a time.
_LISTEN_S = 0.25
#: Polls of a printer that answers ``~HS`` and not ``~HQES`` before it is no longer asked.
_MUTE_POLLS = 2


class PrinterLink:
    """One printer; changes become ``printer.state``, jobs become ``label.printed``."""

    def __init__(
        self,
        device: ConfiguredDevice,
        append: AppendBlocking,
        clock: Clock,
        *,
        observe: Callable[[str, object], None] | None = None,
        tap: Tap | None = None,
        opener: Callable[[ConfiguredDevice], PrinterLine] = open_line,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = device.name
        self._device = device
        self._settings = device.profile.printer or PrinterProfile(language="zpl")
        self._clock = clock
        self._watch = spectator(device.name, observe)
        self._tap = tap
        self._opener = opener
        self._monotonic = monotonic
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._tally = Tally(device.name, "printer", clock)
        self._holding = Holding(append, self._tally, self._stopping)
        self._picture = PrinterPicture()
        self._changes = StateChanges(self._settings.settle_s)
        self._picture_lock = threading.Lock()
        self._heard = Heard()
        self._pushes = self._settings.alerts_port is not None
        self._mute = 0
        self._held: Conversation | None = None
        self._orders = Orders(device.name, self._settings)
        self._alerts = self._alerts_port(device)
        self._thread = threading.Thread(target=self._run, name=f"printer-{self.name}", daemon=True)

    def start(self) -> None:
        if self._alerts is not None:
            self._alerts.start()
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        self._stopping.set()
        self._wake.set()
        if self._alerts is not None:
            self._alerts.stop(timeout)
        if self._thread.is_alive():
            self._thread.join(timeout)
        self._tally.set("stopped")

    def state(self) -> LinkState:
        return self._tally.state()

    def print(self, job: PrintJob) -> PrintResult:
        """Print a job and wait for what becomes of it: minutes, perhaps. From any thread but ours.

        Raises ``Rejected`` when the job makes no sense, ``NeedsOperator`` when the printer is taken
        by another job. Never sends anything twice.
        """
        return self._orders.give(job, self._wake.set, self._thread.is_alive)

    # The thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._wake.clear()
                order = self._orders.take()
                if order is not None:
                    self._work(order)
                else:
                    self._poll()
            except Exception as error:  # noqa: BLE001 - an end of this thread would be silent
                _log.exception("The link to printer %s failed and goes on", self.name)
                self._tally.count("failures")
                self._tally.set("fault", f"The link failed: {error!r}. Report this defect.")
            self._rest()
        self._drop()

    def _rest(self) -> None:
        """Until the next poll: on a held line the printer may speak meanwhile."""
        if self._orders.waiting:
            return
        pause = self._settings.poll_interval_s
        if self._held is None:
            serial = self._device.profile.serial
            if self._device.transport == "serial" and serial is not None:
                pause = min(pause, serial.reopen_max_s)  # it was unplugged, and comes back
            self._wake.wait(pause)
            return
        deadline = self._monotonic() + pause
        try:
            while self._monotonic() < deadline and not self._wake.is_set():
                self._held.listen(min(_LISTEN_S, pause))
        except OSError:
            self._drop()

    def _poll(self) -> None:
        try:
            conversation = self.reopen() if self._held is None else self._held
            self.look(conversation)
        except OSError:
            self._drop()  # it has been shown
        else:
            if not self._holds:
                self._drop()

    def _work(self, order: Order) -> None:
        """Print, and put on record what became of it before it is answered."""
        printing = Printing(
            self, self._settings, self._heard, self._stopping,
            alerts=self._pushes, monotonic=self._monotonic,
        )  # fmt: skip
        self._tally.count("jobs")
        try:
            conversation = self.reopen() if self._held is None else self._held
            result = printing.run(conversation, order.job, order.what)
        except OSError as error:
            result = PrintResult("failed", order.what.labels, None, f"Nothing was sent: {error}.")
        except Exception as error:  # noqa: BLE001 - whoever asked must hear of it
            _log.exception("Printing on %s failed", self.name)
            detail = f"Printing failed: {error!r}. Look at the printer, and report this defect."
            result = PrintResult("doubtful", order.what.labels, None, detail)
        try:
            self._tally.count(f"jobs_{result.outcome}")
            if result.proof is not None:
                data = self._orders.label(order.job, order.what, result.proof)
                self._holding.store(reading_of(self.name, "label.printed", self._clock(), data))
            if result.outcome != "printed":
                _log.warning("A job on %s is %s: %s", self.name, result.outcome, result.detail)
        finally:
            order.end(result)
            if not self._holds:
                self._drop()

    # What printing needs

    def reopen(self) -> Conversation:
        """Open the line. Raises OSError, having shown that the printer cannot be reached."""
        self._drop()
        try:
            line = self._opener(self._device)
        except OSError as error:
            self._tell(Poll(seen(("unreachable",), str(error))))
            raise
        self._held = Conversation(
            line, sieve(self._settings), self._unasked, self._stopping,
            timeout_s=self._settings.timeout_s,
            tap=self._tap,
        )  # fmt: skip
        return self._held

    def look(self, conversation: Conversation) -> Poll:
        """Poll once and show it. Raises OSError when the line is gone, having shown that, too."""
        self._tally.count("polls")
        asked_flags = self._mute < _MUTE_POLLS
        try:
            found = conversation.hold(poll(self._settings, error_flags=asked_flags))
        except OSError as error:  # it took the connection and dropped it: there, and not well
            self._tell(Poll(seen(("no_answer",), str(error))))
            raise
        if found.seen.answered and asked_flags:
            self._mute = 0 if found.thorough else self._mute + 1
        self._watch(found.seen)
        self._tell(found)
        return found

    @property
    def _holds(self) -> bool:
        return self._device.transport == "serial" or self._settings.keep_open

    def _drop(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            with suppress(OSError):
                held.line.close()

    # What is seen and heard

    def _alerts_port(self, device: ConfiguredDevice) -> AlertsPort | None:
        port = self._settings.alerts_port
        if port is None or device.transport != "tcp":
            return None
        host = device.address.rpartition(":")[0].strip("[]")
        return AlertsPort(port, host, self._unasked, self._tally.count)

    def _unasked(self, said: bytes) -> None:
        """An alert (in any thread), or an answer in the order of printing."""
        if self._settings.language == "escpos":
            self._heard.worked_off()
            return
        try:
            found = alert(said)
        except ValueError:
            self._tally.count("alerts_unreadable")
            return
        self._pushes = True
        self._tally.count("alerts")
        self._watch(found)
        self._heard.alert(found)
        with self._picture_lock:
            self._picture.alerted(found)
        if found.condition in CONDITIONS:
            self._wake.set()

    def _tell(self, found: Poll) -> None:
        """Show the state, and put it on record when it changed."""
        if self._stopping.is_set():
            return
        with self._picture_lock:
            now = self._picture.polled(found.seen, thorough=found.thorough)
        health, detail = _HEALTH[now.state], self._detail(now)
        self._tally.set(health, detail)
        if found.seen.answered:
            self._tally.seen(now.state)
        else:
            self._tally.blank()
        if not self._changes.look(now, self._monotonic()):
            return
        data = {"status": now.state, "conditions": list(now.conditions), "said": now.said[:500]}
        self._holding.store(reading_of(self.name, "printer.state", self._clock(), data))
        self._tally.set(health, detail)

    def _detail(self, now: Seen) -> str:
        trouble = "" if self._alerts is None else self._alerts.trouble
        told = next((REMEDY[one] for one in now.conditions if one in REMEDY), "")
        return " ".join(filter(None, (told or ", ".join(now.conditions), trouble)))
