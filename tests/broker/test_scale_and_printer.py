"""The link to a printer against a simulated one that is switched off and runs dry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from edge_agent.devices.printer import Printer
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import ConfiguredDevice, configured_devices
from edge_agent.devices.settings import DeviceSettings
from edge_agent.devices.simulate.printer import SimulatedPrinter


def configured(profile: str, **fields: Any) -> ConfiguredDevice:
    settings = DeviceSettings(name=f"{profile}-1", profile=profile, **fields)
    [device] = configured_devices({settings.name: settings}, ProfileLibrary())
    return device


@pytest.fixture
def printer() -> Iterator[SimulatedPrinter]:
    with SimulatedPrinter() as simulated:
        yield simulated


@pytest.fixture
def printer_link(printer: SimulatedPrinter, outbox: Any, now: Any) -> Iterator[Printer]:
    device = configured(
        "zebra-zpl",
        host=f"{printer.host}:{printer.port}",
        override={"printer": {"poll_interval_s": 0.02, "timeout_s": 0.3}},
    )
    link = Printer(device, outbox.append_blocking, now)
    link.start()
    yield link
    link.stop()


def _states(outbox: Any, kind: str = "device.state") -> list[str]:
    return [one.event.data["status"] for one in outbox.readings if one.event.kind == kind]


def test_a_printer_tells_its_changes_and_nothing_else(
    printer: Any, printer_link: Any, outbox: Any, until: Any
) -> None:
    def states() -> list[str]:
        return _states(outbox, "printer.state")

    until(lambda: states() == ["ok"], "ready")
    polls = printer_link.state().counters["polls"]
    until(lambda: printer_link.state().counters["polls"] > polls + 3, "polled on")
    printer.paused = True
    until(lambda: states() == ["ok", "paused"], "paused")
    printer.media_out, printer.paused = True, False
    until(lambda: states() == ["ok", "paused", "error"], "silence is a fault")
    assert outbox.readings[-1].event.data["conditions"] == ["no_answer"]
    assert "media" in printer_link.state().detail
    printer.media_out = False
    until(lambda: states()[3:] == ["ok"], "media is in")
    printer.switch_off()
    until(lambda: states()[-1] == "offline", "off, and cut off while it was asked perhaps")
    printer.switch_on()
    until(lambda: states()[-1] == "ok", "on")


@pytest.mark.parametrize(
    ("answer", "condition"),
    [
        (b"\x02030,0,0,0812,000,0,0,0,000,0,0,0\x03\r\n", "incomplete_answer"),
        (b"\x02a\x03" * 3, "bad_answer"),
    ],
)
def test_half_an_answer_and_nonsense_are_faults(
    answer: bytes, condition: str, printer: Any, printer_link: Any, outbox: Any, until: Any
) -> None:
    printer.answers = answer
    until(
        lambda: outbox.readings and outbox.readings[-1].event.data["conditions"] == [condition],
        condition,
    )
    printer.answers = None
    until(lambda: outbox.readings[-1].event.data["status"] == "ok", "and it goes on")
