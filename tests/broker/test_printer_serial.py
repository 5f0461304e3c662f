"""A printer on a serial line: answers and alerts share it, and it is unplugged."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from edge_agent.devices.printers.jobs import PrintJob
from edge_agent.devices.printers.link import PrinterLink
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import configured_devices
from edge_agent.devices.settings import DeviceSettings
from edge_agent.devices.simulate.lines import PtyLine
from edge_agent.devices.simulate.printer_machine import PrinterMachine

LABEL = b"^XA^FO20,20^FDbin 4^FS^XZ"


class SerialPrinter(PrinterMachine):
    """A printer on a pseudo-terminal, whose alerts go down the same line."""

    def __init__(self) -> None:
        super().__init__()
        self.alerts = True
        self.line = PtyLine()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> SerialPrinter:
        self.line.plug()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(5)
        self.line.close()

    def _run(self) -> None:
        while not self._over.wait(0.005):
            now = time.monotonic()
            answers = self.hear(self.line.hear(), now)
            for said in [*self.pushed, *answers]:
                self.line.say(said)
            self.pushed.clear()


@pytest.fixture
def printer() -> Iterator[SerialPrinter]:
    with SerialPrinter() as simulated:
        yield simulated


@pytest.fixture
def link(printer: SerialPrinter, outbox: Any, now: Any) -> Iterator[PrinterLink]:
    fast = {"poll_interval_s": 0.05, "timeout_s": 0.4, "settle_s": 0, "idle_s": 0.05}
    settings = DeviceSettings(
        name="label-2",
        profile="zebra-zpl",
        port=printer.line.where,
        override={"printer": fast, "serial": {"flow": "none"}},
    )
    [device] = configured_devices({settings.name: settings}, ProfileLibrary())
    link = PrinterLink(device, outbox.append_blocking, now)
    link.start()
    yield link
    link.stop()


def states(outbox: Any) -> list[str]:
    found = (one.event for one in outbox.readings if one.event.kind == "printer.state")
    return [event.data["status"] for event in found]


def test_answers_and_alerts_share_the_line(
    printer: SerialPrinter, link: PrinterLink, outbox: Any, until: Any
) -> None:
    until(lambda: states(outbox) == ["ok"], "ready")
    printer.head_open = True
    until(lambda: states(outbox)[-1] == "attention", "the alert explains the silence")
    assert outbox.readings[-1].event.data["conditions"] == ["head_open"]
    printer.head_open = False
    until(lambda: states(outbox)[-1] == "ok", "closed")
    printer.seconds_per_label = 0.05
    result = link.print(PrintJob(LABEL, 3))
    assert (result.outcome, result.proof) == ("printed", 3)
    assert len(printer.labels) == 3


def test_an_unplugged_printer_is_noticed_within_two_seconds_and_so_is_its_return(
    printer: SerialPrinter, link: PrinterLink, outbox: Any, until: Any
) -> None:
    until(lambda: states(outbox) == ["ok"], "ready")
    printer.line.unplug()
    begin = time.monotonic()
    until(lambda: link.state().health == "down", "noticed")
    assert time.monotonic() - begin < 2
    printer.line.plug()
    begin = time.monotonic()
    until(lambda: states(outbox)[-1] == "ok", "back")
    assert time.monotonic() - begin < 2
