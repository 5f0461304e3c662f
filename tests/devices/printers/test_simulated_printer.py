"""The simulated printer says what the decoders read out of it."""

from __future__ import annotations

import pytest

from edge_agent.devices.printers.decoding import decode_printer
from edge_agent.devices.printers.zebra_alert import alert
from edge_agent.devices.simulate.printer_machine import PrinterMachine

LABEL = b"^XA^FDx^FS^PQ3^XZ"


def test_a_zebra_answers_every_question() -> None:
    machine = PrinterMachine()
    machine.ribbon_out, machine.quiet_faults = True, False
    hs, hqes, hi, count, status, unknown = machine.hear(
        b'~HS~HQES~HI! U1 getvar "odometer.total_label_count"\r\n'
        b'! U1 getvar "device.host_status"\r\n! U1 getvar "nope"\r\n',
        0.0,
    )
    assert decode_printer("zpl-hs", hs)["conditions"] == ["ribbon_out"]
    assert decode_printer("zpl-hqes", hqes)["errors"] == ["ribbon_out"]
    assert decode_printer("zpl-hi", hi)["model"] == "SIM-410"
    assert decode_printer("zpl-sgd", count)["value"] == machine.odometer
    asked = '! U1 getvar "device.host_status"'
    assert decode_printer("zpl-sgd", status, asked)["ribbon_out"] is True
    assert decode_printer("zpl-sgd", unknown)["reason"] == "unknown_variable"


@pytest.mark.parametrize("fault", ["media_out", "head_open", "ribbon_out"])
def test_a_zebra_is_silent_where_zebra_says_it_is(fault: str) -> None:
    machine = PrinterMachine()
    setattr(machine, fault, True)
    assert machine.hear(b"~HS~HQES", 0.0) == []
    machine.flags_when_quiet = True
    assert len(machine.hear(b"~HS~HQES", 0.0)) == 1


@pytest.mark.parametrize("cut", range(1, len(LABEL) + 3))
def test_labels_and_questions_are_found_however_they_are_cut(cut: int) -> None:
    machine, data = PrinterMachine(), LABEL + b"~HS"
    machine.seconds_per_label = 1
    answers = machine.hear(data[:cut], 0.0) + machine.hear(data[cut:], 0.0)
    assert [decode_printer("zpl-hs", one)["labels_remaining"] for one in answers] == [3]


def test_labels_come_out_one_after_the_other_and_are_counted() -> None:
    machine = PrinterMachine()
    machine.alerts, machine.seconds_per_label = True, 1
    machine.hear(LABEL, 0.0)
    for at, waiting in ((0.5, 3), (1.0, 2), (2.0, 1)):
        machine.work(at)
        assert machine.waiting == waiting
    machine.paused = True
    machine.work(10.0)
    assert (machine.waiting, machine.labels) == (1, [])
    machine.paused = False
    machine.work(11.0)
    assert (machine.waiting, machine.labels, machine.odometer) == (0, [LABEL], 1003)
    told = [alert(line) for line in machine.pushed]
    assert [(one.condition, one.state) for one in told] == [
        ("PRINTER PAUSED", "set"),
        ("PRINTER PAUSED", "cleared"),
        ("PQ JOB COMPLETED", "set"),
    ]


def test_a_receipt_printer_answers_in_turn_only_what_waits_in_its_buffer() -> None:
    machine = PrinterMachine("escpos")
    machine.seconds_per_label = 1
    assert machine.hear(b"text\n\x1dV\x00\x1dr\x01\x10\x04\x01", 0.0) == [b"\x12"]
    assert machine.work(1.0) == [b"\x00"]


def test_a_tspl_printer_says_in_both_ways_how_it_is() -> None:
    machine = PrinterMachine("tspl")
    machine.head_open = True
    short, long, model = machine.hear(b"\x1b!?\x1b!S~!T", 0.0)
    assert decode_printer("tspl", short, "<ESC>!?")["flags"] == ["head_open"]
    assert decode_printer("tspl", long, "<ESC>!S")["errors"] == ["head_open"]
    assert decode_printer("tspl", model, "~!T")["model"] == "SIM-244"
