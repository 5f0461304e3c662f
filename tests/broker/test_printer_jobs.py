"""Print jobs against a simulated printer over TCP: no proof is higher than what was seen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edge_agent.devices.printers.jobs import JobWatch, PrintJob
from edge_agent.devices.printers.link import PrinterLink
from edge_agent.devices.printers.printing import Printing, PrintResult
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import configured_devices
from edge_agent.devices.settings import DeviceSettings
from edge_agent.devices.simulate.printer import SimulatedPrinter
from edge_contract.errors import Rejected
from edge_sandbox.rig import free_port

PROFILES = {"zpl": "zebra-zpl", "escpos": "escpos", "tspl": "tspl"}
LABEL = b"^XA^FO20,20^FDpallet 7^FS^PQ2^XZ"
JOBS = {
    "zpl": LABEL,
    "escpos": b"Receipt 7\n\x1dV\x00",
    "tspl": b'CLS\r\nTEXT 1,1,"3",0,1,1,"pallet 7"\r\nPRINT 2\r\n',
}


@pytest.fixture
def zebra() -> Iterator[SimulatedPrinter]:
    with SimulatedPrinter() as simulated:
        yield simulated


Linked = Callable[..., PrinterLink]


@pytest.fixture
def linked(outbox: Any, now: Any, until: Any) -> Iterator[Linked]:
    started: list[PrinterLink] = []

    def make(printer: SimulatedPrinter, **override: Any) -> PrinterLink:
        fast = {
            "poll_interval_s": 0.05,
            "timeout_s": 0.3,
            "settle_s": 0,
            "idle_s": 0.05,
            "alert_wait_s": 0.6,
            "job_timeout_s": 1.5,
            **override,
        }
        settings = DeviceSettings(
            name="label-1",
            profile=PROFILES[printer.language],
            host=f"{printer.host}:{printer.port}",
            override={"printer": fast},
        )
        [device] = configured_devices({settings.name: settings}, ProfileLibrary())
        link = PrinterLink(device, outbox.append_blocking, now)
        started.append(link)
        link.start()
        until(lambda: link.state().health == "up", "up")
        return link

    yield make
    for link in started:
        link.stop()


class Started:
    """A job that runs while the test does things to the printer."""

    def __init__(self, link: PrinterLink, job: PrintJob) -> None:
        self.results: list[PrintResult] = []
        self.thread = threading.Thread(target=lambda: self.results.append(link.print(job)))
        self.thread.start()

    def result(self) -> PrintResult:
        self.thread.join(20)
        (result,) = self.results
        return result


def labels(outbox: Any) -> list[dict[str, Any]]:
    return [r.event.data for r in outbox.readings if r.event.kind == "label.printed"]


def test_the_counter_proves_what_was_printed(
    zebra: SimulatedPrinter, linked: Linked, outbox: Any
) -> None:
    zebra.seconds_per_label = 0.1
    link = linked(zebra)
    result = link.print(PrintJob(LABEL, 2, "WH/OUT/00012", "PARCEL007"))
    assert (result.outcome, result.proof, result.labels) == ("printed", 2, 4)
    assert len(zebra.labels) == 2
    assert labels(outbox) == [
        {
            "document": "WH/OUT/00012",
            "package": "PARCEL007",
            "printer": "label-1",
            "copies": 4,
            "proof": 2,
        }
    ]


def test_an_alert_for_each_proves_more(
    zebra: SimulatedPrinter, linked: Linked, outbox: Any
) -> None:
    port = free_port()
    zebra.alerts_to = ("127.0.0.1", port)
    zebra.seconds_per_label = 0.05
    link = linked(zebra, alerts_port=port, alert_wait_s=5)
    assert link.print(PrintJob(LABEL, 2)).proof == 3
    assert [label["proof"] for label in labels(outbox)] == [3]


def test_without_a_counter_the_idle_printer_is_all_there_is(
    zebra: SimulatedPrinter, linked: Linked
) -> None:
    zebra.knows_odometer = False
    result = linked(zebra).print(PrintJob(LABEL))
    assert (result.outcome, result.proof) == ("printed", 1)


@pytest.mark.parametrize("language", ["escpos", "tspl"])
def test_receipt_and_tspl_printers_prove_that_they_are_done(
    language: Any, linked: Linked, outbox: Any
) -> None:
    with SimulatedPrinter(language=language) as printer:
        printer.seconds_per_label = 0.1
        result = linked(printer).print(PrintJob(JOBS[language]))
        assert (result.outcome, result.proof) == ("printed", 1)
        assert printer.waiting == 0


@pytest.mark.parametrize("language", ["zpl", "escpos", "tspl"])
def test_a_head_opened_in_the_middle_leaves_it_in_doubt_and_nothing_is_sent_again(
    language: Any, linked: Linked, outbox: Any, until: Any
) -> None:
    with SimulatedPrinter(language=language) as printer:
        printer.seconds_per_label = 0.4
        link = linked(printer)
        before = printer.odometer
        started = Started(link, PrintJob(JOBS[language], 4))
        until(lambda: printer.odometer > before, "the first label is out")
        printer.head_open = True
        result = started.result()
        assert (result.outcome, result.proof) == ("doubtful", 0)
        assert "before it is printed again" in result.detail
        assert [label["proof"] for label in labels(outbox)] == [0]
        printed, waiting = printer.odometer, printer.waiting
        assert printed - before + waiting == (4 if language == "escpos" else 8)


def test_a_printer_that_is_put_right_in_time_still_proves_it(
    zebra: SimulatedPrinter, linked: Linked, until: Any
) -> None:
    zebra.seconds_per_label = 0.2
    link = linked(zebra, job_timeout_s=20)
    before = zebra.odometer
    started = Started(link, PrintJob(LABEL))
    until(lambda: zebra.odometer > before, "the first label is out")
    zebra.media_out = True
    until(lambda: link.state().health == "fault", "seen")
    zebra.media_out = False
    assert (started.result().outcome, started.result().proof) == ("printed", 2)


@pytest.mark.parametrize("counts", [True, False])
def test_a_printer_that_lost_its_power_in_the_middle_proves_nothing_by_being_idle(
    counts: bool, zebra: SimulatedPrinter, linked: Linked, outbox: Any, until: Any
) -> None:
    zebra.knows_odometer = counts
    zebra.seconds_per_label = 0.3
    link = linked(zebra)
    before = zebra.odometer
    started = Started(link, PrintJob(LABEL, 4))
    until(lambda: zebra.odometer > before, "the first label is out")
    zebra.switch_off()
    zebra.switch_on()
    result = started.result()
    assert (result.outcome, result.proof) == ("doubtful", 0)
    assert [label["proof"] for label in labels(outbox)] == [0]


def test_a_job_cancelled_at_the_printer_is_not_printed_though_it_is_idle(
    zebra: SimulatedPrinter, linked: Linked, until: Any
) -> None:
    zebra.seconds_per_label = 0.3
    link = linked(zebra)
    before = zebra.odometer
    started = Started(link, PrintJob(LABEL, 4))
    until(lambda: zebra.odometer > before, "the first label is out")
    zebra.cancel()
    result = started.result()
    assert (result.outcome, result.proof) == ("doubtful", 0)
    assert "counter rose by" in result.detail


def test_labels_of_others_make_the_counter_prove_nothing(
    zebra: SimulatedPrinter, linked: Linked, until: Any
) -> None:
    zebra.seconds_per_label = 0.2
    link = linked(zebra)
    before = zebra.odometer
    started = Started(link, PrintJob(LABEL))
    until(lambda: zebra.odometer > before, "the first label is out")
    zebra.odometer += 5
    result = started.result()
    assert (result.outcome, result.proof) == ("doubtful", 1)


@pytest.mark.parametrize("fault", ["head_open", "paused", "silent", "stuck"])
def test_nothing_is_sent_to_a_printer_that_cannot_print(
    fault: str, zebra: SimulatedPrinter, linked: Linked, outbox: Any
) -> None:
    link = linked(zebra)
    setattr(zebra, fault, True)
    result = link.print(PrintJob(LABEL))
    assert (result.outcome, result.proof) == ("failed", None)
    assert "Nothing was sent" in result.detail
    setattr(zebra, fault, False)
    assert link.print(PrintJob(LABEL)).outcome == "printed"
    assert len(zebra.labels) == 1
    assert len(labels(outbox)) == 1


def test_a_printer_that_is_off_gets_nothing(zebra: SimulatedPrinter, linked: Linked) -> None:
    link = linked(zebra)
    zebra.switch_off()
    assert link.print(PrintJob(LABEL)).outcome == "failed"
    zebra.switch_on()
    assert link.print(PrintJob(LABEL)).outcome == "printed"
    assert len(zebra.labels) == 1


def test_a_line_that_breaks_while_it_is_sent_leaves_it_in_doubt(
    zebra: SimulatedPrinter, linked: Linked, outbox: Any
) -> None:
    big = b"^XA^FD" + b"x" * 8_000_000 + b"^FS^XZ"
    link = linked(zebra, poll_interval_s=30)
    zebra.hang_up_after = 300_000
    result = link.print(PrintJob(big))
    assert (result.outcome, result.proof) == ("doubtful", None)
    assert labels(outbox) == [], "not all of its bytes were taken"
    assert zebra.labels == []


@pytest.mark.parametrize(
    "data", [b"", b"%PDF-1.7 not a label", b"^XA^JUS^XZ", b"^XA^DFR:X.ZPL^FS^FDx^FS^XZ", b"^XA^FDx"]
)
def test_what_prints_no_label_is_refused(
    data: bytes, zebra: SimulatedPrinter, linked: Linked
) -> None:
    with pytest.raises(Rejected):
        linked(zebra).print(PrintJob(data))


def test_a_name_that_no_event_takes_is_refused_before_anything_is_sent(
    zebra: SimulatedPrinter, linked: Linked
) -> None:
    with pytest.raises(Rejected, match="package"):
        linked(zebra).print(PrintJob(LABEL, package="a\nb"))
    assert zebra.labels == []


def test_jobs_of_two_are_printed_one_after_the_other(
    zebra: SimulatedPrinter, linked: Linked, outbox: Any
) -> None:
    zebra.seconds_per_label = 0.05
    link = linked(zebra, job_timeout_s=20)
    both = [Started(link, PrintJob(LABEL, package=f"P{n}")) for n in (1, 2)]
    assert [(one.result().outcome, one.result().proof) for one in both] == [("printed", 2)] * 2
    assert sorted(label["package"] for label in labels(outbox)) == ["P1", "P2"]


def test_an_agent_that_stops_in_the_middle_keeps_what_was_seen(
    zebra: SimulatedPrinter, linked: Linked, outbox: Any, until: Any
) -> None:
    zebra.seconds_per_label = 0.5
    link = linked(zebra)
    before = zebra.odometer
    started = Started(link, PrintJob(LABEL, 5))
    until(lambda: zebra.odometer > before, "the first label is out")
    link.stop()
    result = started.result()
    assert (result.outcome, result.proof) == ("doubtful", 0)
    assert [label["proof"] for label in labels(outbox)] == [0]


# Broken variants: what each of the tests above would let through


def test_a_variant_that_believes_an_idle_printer_after_it_was_away_is_caught(
    monkeypatch: pytest.MonkeyPatch, zebra: Any, linked: Linked, outbox: Any, until: Any
) -> None:
    monkeypatch.setattr(JobWatch, "lost", lambda _self: None)
    test = test_a_printer_that_lost_its_power_in_the_middle_proves_nothing_by_being_idle
    with pytest.raises(AssertionError):
        test(False, zebra, linked, outbox, until)


def test_a_variant_that_does_not_compare_the_counter_is_caught(
    monkeypatch: pytest.MonkeyPatch, zebra: Any, linked: Linked, until: Any
) -> None:
    monkeypatch.setattr(JobWatch, "counted", lambda *_: None)
    monkeypatch.setattr(JobWatch, "rise", property(lambda _self: None))
    with pytest.raises(AssertionError):
        test_a_job_cancelled_at_the_printer_is_not_printed_though_it_is_idle(zebra, linked, until)


def test_a_variant_that_sends_a_job_again_is_caught(
    monkeypatch: pytest.MonkeyPatch, linked: Linked, outbox: Any, until: Any
) -> None:
    monkeypatch.setattr(Printing, "_bytes", lambda _self, job: job.bytes * 2)
    with pytest.raises(AssertionError):
        test_a_head_opened_in_the_middle_leaves_it_in_doubt_and_nothing_is_sent_again(
            "zpl", linked, outbox, until
        )
