"""The link to a printer against a simulated one over TCP: its states, faults and flutter."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edge_agent.devices.printers.link import PrinterLink
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import ConfiguredDevice, configured_devices
from edge_agent.devices.settings import DeviceSettings
from edge_agent.devices.simulate.printer import SimulatedPrinter
from edge_sandbox.rig import free_port

PROFILES = {"zpl": "zebra-zpl", "escpos": "escpos", "tspl": "tspl"}
FAST = {"poll_interval_s": 0.02, "timeout_s": 0.3, "settle_s": 0}


def configured(printer: SimulatedPrinter, **override: Any) -> ConfiguredDevice:
    settings = DeviceSettings(
        name="label-1",
        profile=PROFILES[printer.language],
        host=f"{printer.host}:{printer.port}",
        override={"printer": {**FAST, **override}},
    )
    [device] = configured_devices({settings.name: settings}, ProfileLibrary())
    return device


@pytest.fixture(params=["zpl", "escpos", "tspl"])
def printer(request: pytest.FixtureRequest) -> Iterator[SimulatedPrinter]:
    with SimulatedPrinter(language=request.param) as simulated:
        yield simulated


@pytest.fixture
def zebra() -> Iterator[SimulatedPrinter]:
    with SimulatedPrinter() as simulated:
        yield simulated


Linked = Callable[..., PrinterLink]


@pytest.fixture
def linked(outbox: Any, now: Any) -> Iterator[Linked]:
    started: list[PrinterLink] = []

    def make(printer: SimulatedPrinter, **override: Any) -> PrinterLink:
        link = PrinterLink(configured(printer, **override), outbox.append_blocking, now)
        started.append(link)
        link.start()
        return link

    yield make
    for link in started:
        link.stop()


def said(outbox: Any) -> list[dict[str, Any]]:
    return [r.event.data for r in outbox.readings if r.event.kind == "printer.state"]


def states(outbox: Any) -> list[str]:
    return [data["status"] for data in said(outbox)]


def polled(link: PrinterLink, until: Any, times: int = 4) -> None:
    goal = link.state().counters.get("polls", 0) + times
    until(lambda: link.state().counters.get("polls", 0) >= goal, "it was polled on")


def test_a_printer_of_any_language_tells_its_changes_and_nothing_else(
    printer: SimulatedPrinter, linked: Linked, outbox: Any, until: Any
) -> None:
    link = linked(printer)
    until(lambda: states(outbox) == ["ok"], "ready")
    polled(link, until)
    assert states(outbox) == ["ok"]
    printer.paused = True
    until(lambda: states(outbox) == ["ok", "paused"], "paused")
    printer.media_out, printer.paused = True, False
    until(lambda: states(outbox)[-1] in ("attention", "error"), "media is out")
    wanted = ["no_answer"] if printer.language == "zpl" else ["media_out"]
    until(lambda: said(outbox)[-1]["conditions"] == wanted, "and it says so")
    printer.media_out = False
    until(lambda: states(outbox)[-1] == "ok", "media is in")
    printer.switch_off()
    until(lambda: states(outbox)[-1] == "offline", "off, and cut off while it was asked perhaps")
    printer.switch_on()
    until(lambda: states(outbox)[-1] == "ok", "on")


def test_the_flags_explain_the_silence_of_the_status(
    zebra: SimulatedPrinter, linked: Linked, outbox: Any, until: Any
) -> None:
    zebra.flags_when_quiet = True
    link = linked(zebra)
    until(lambda: states(outbox) == ["ok"], "ready")
    zebra.head_open = True
    until(lambda: said(outbox)[-1]["conditions"] == ["head_open"], "head open")
    assert states(outbox)[-1] == "attention"
    assert link.state().health == "fault"


def test_a_printer_without_flags_is_not_asked_for_them_for_ever(
    zebra: SimulatedPrinter, linked: Linked, outbox: Any, until: Any
) -> None:
    zebra.knows_flags = False
    link = linked(zebra)
    polled(link, until, 3)
    received: list[bytes] = []
    hear = zebra.hear

    def listening(data: bytes, now: float) -> list[bytes]:
        received.append(data)
        return hear(data, now)

    zebra.hear = listening  # type: ignore[method-assign]
    polled(link, until, 5)
    assert b"~HS" in b"".join(received)
    assert b"~HQES" not in b"".join(received)
    assert states(outbox) == ["ok"]


@pytest.mark.parametrize(
    ("answer", "condition"),
    [
        (b"\x02030,0,0,0812,000,0,0,0,000,0,0,0\x03\r\n", "incomplete_answer"),
        (b"\x02030,0,0,08", "incomplete_answer"),
        (b"\x02a\x03" * 3, "bad_answer"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "bad_answer"),
    ],
)
def test_half_an_answer_and_nonsense_are_faults(
    answer: bytes, condition: str, zebra: Any, linked: Linked, outbox: Any, until: Any
) -> None:
    zebra.answers = answer
    linked(zebra)
    until(lambda: said(outbox) and said(outbox)[-1]["conditions"] == [condition], condition)
    zebra.answers = None
    until(lambda: states(outbox)[-1] == "ok", "and it goes on")


@pytest.mark.parametrize("fault", ["silent", "stuck"])
def test_silence_is_a_fault_and_never_unknown(
    fault: str, printer: Any, linked: Linked, outbox: Any, until: Any
) -> None:
    setattr(printer, fault, True)
    link = linked(printer)
    until(lambda: said(outbox) and said(outbox)[-1]["conditions"] == ["no_answer"], "silent")
    assert link.state().health == "fault"
    setattr(printer, fault, False)
    until(lambda: states(outbox)[-1] == "ok", "back")


def test_a_held_connection_is_used_again_and_replaced_when_it_is_lost(
    zebra: SimulatedPrinter, linked: Linked, outbox: Any, until: Any
) -> None:
    link = linked(zebra, keep_open=True)
    until(lambda: states(outbox) == ["ok"], "ready")
    polled(link, until)
    zebra.hang_up_after = 1
    polled(link, until)
    until(lambda: states(outbox)[-1] == "ok", "back")


def test_an_alert_explains_silence_at_once_and_is_cleared_by_another(
    zebra: SimulatedPrinter, linked: Linked, outbox: Any, until: Any
) -> None:
    port = free_port()
    link = linked(zebra, alerts_port=port)
    until(lambda: states(outbox) == ["ok"], "ready")
    zebra.alerts_to = ("127.0.0.1", port)
    zebra.head_open = True
    until(lambda: said(outbox)[-1]["conditions"] == ["head_open"], "told by the alert")
    zebra.head_open = False
    until(lambda: states(outbox)[-1] == "ok", "closed")
    assert link.state().counters["alerts"] >= 2


def test_alerts_of_another_address_are_not_listened_to(
    zebra: SimulatedPrinter, linked: Linked, outbox: Any, until: Any
) -> None:
    port = free_port()
    link = linked(zebra, alerts_port=port)
    until(lambda: states(outbox) == ["ok"], "ready")

    def push() -> bool:
        with socket.socket() as stranger:
            stranger.bind(("127.0.0.2", 0))
            stranger.settimeout(1)
            try:
                stranger.connect(("127.0.0.1", port))
                stranger.sendall(b"ERROR CONDITION: HEAD OPEN [2031-01-01 00:00:00] [X]\r\n")
                stranger.recv(1)
            except OSError:
                pass
        return bool(link.state().counters.get("alerts_refused"))

    until(push, "refused")
    polled(link, until)
    assert states(outbox) == ["ok"]
    assert "alerts" not in link.state().counters


def test_a_port_for_alerts_that_is_taken_is_told(
    zebra: SimulatedPrinter, linked: Linked, outbox: Any, until: Any
) -> None:
    with socket.create_server(("", 0)) as taken:
        port = int(taken.getsockname()[1])
        link = linked(zebra, alerts_port=port)
        until(lambda: "Alerts cannot be taken" in link.state().detail, "told")
    until(lambda: "Alerts" not in link.state().detail, "and it listens as soon as it can")


def test_a_flutter_is_not_told_again_and_again(
    zebra: SimulatedPrinter, linked: Linked, outbox: Any, until: Any
) -> None:
    link = linked(zebra, settle_s=30)
    until(lambda: states(outbox) == ["ok"], "ready")
    for _ in range(5):
        zebra.paused = not zebra.paused
        polled(link, until, 2)
    assert len(states(outbox)) <= 2
