"""``~HS``, ``~HQES``, ``~HI`` and SGD, on frames made from their grammar."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.devices.printers import languages, zpl_hqes, zpl_hs
from edge_agent.devices.printers.decoding import decode_printer
from edge_agent.devices.printers.languages import Question, poll, zpl_poll
from edge_agent.devices.printers.profile import PrinterProfile

FIRST = "030,0,0,0812,000,0,0,0,000,0,0,0"
SECOND = "000,0,0,0,0,2,4,0,00000000,1,000"


def answer(first: str = FIRST, second: str = SECOND, third: str = "1234,0") -> bytes:
    return b"".join(b"\x02" + line.encode() + b"\x03\r\n" for line in (first, second, third))


def flags(errors: str, warnings: str = "0 00000000 00000000") -> bytes:
    lines = ("  PRINTER STATUS   ", f"  ERRORS:     {errors}   ", f"  WARNINGS:   {warnings}  ")
    return b"\x02\r\n" + "\r\n".join(lines).encode() + b"\r\n\x03"


@pytest.mark.parametrize(
    ("data", "state", "conditions"),
    [
        (answer(), "ok", []),
        (answer(first="030,1,0,0812,000,0,0,0,000,0,0,0"), "attention", ["media_out"]),
        (answer(first="030,0,1,0812,000,0,0,0,000,0,0,0"), "paused", ["paused"]),
        (answer(first="030,0,0,0812,003,0,0,0,000,0,0,0"), "busy", []),
        (answer(first="030,0,0,0812,000,0,0,1,000,0,0,0"), "busy", []),
        (answer(first="030,0,0,0812,000,0,0,0,000,0,0,1"), "error", ["over_temperature"]),
        (answer(first="030,0,0,0812,000,0,0,0,000,0,1,0"), "error", ["under_temperature"]),
        (answer(first="030,0,0,0812,000,0,0,0,000,1,0,0"), "error", ["corrupt_ram"]),
        (answer(first="030,1,1,0812,000,0,0,0,000,1,0,0"), "error", None),
        (answer(second="000,0,1,0,0,2,4,0,00000000,1,000"), "attention", ["head_open"]),
        (answer(second="000,0,0,1,1,2,4,0,00000000,1,000"), "attention", ["ribbon_out"]),
        (answer(second="000,0,0,1,0,2,4,0,00000000,1,000"), "ok", []),
        (answer(second="000,0,0,0,0,1,4,1,00000002,1,000"), "busy", ["label_waiting"]),
    ],
)
def test_what_keeps_it_from_printing_wins(
    data: bytes, state: str, conditions: list[str] | None
) -> None:
    found = decode_printer("zpl-hs", data)
    assert found["status"] == state
    assert conditions is None or found["conditions"] == conditions


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("0", "rewind"),
        ("3", "cutter"),
        ("4", "applicator"),
        ("9", "rfid"),
        ("K", "kiosk"),
        ("Q", "Q"),
    ],
)
def test_fields_are_where_the_manual_has_them(mode: str, name: str) -> None:
    found = decode_printer("zpl-hs", answer(second=f"000,0,0,0,1,{mode},4,0,00000007,1,000"))
    assert (found["label_length_dots"], found["labels_remaining"]) == (812, 7)
    assert (found["thermal_transfer"], found["print_mode"]) == (True, name)


@given(st.lists(st.integers(1, 20), max_size=30))
@settings(max_examples=50, deadline=None)
def test_an_answer_is_complete_with_its_third_line_however_it_is_cut(sizes: list[int]) -> None:
    data, start = b"\r\n" + answer(), 0
    end = data.rindex(b"\x03") + 1
    for size in [*sizes, len(data)]:
        start += size
        assert zpl_hs.complete(data[:start]) == (start >= end)


@pytest.mark.parametrize("length", range(len(answer())))
def test_an_answer_cut_at_any_position_is_never_a_good_one(length: int) -> None:
    data = answer()
    whole = length > data.rindex(b"\x03")
    found = decode_printer("zpl-hs", data[:length])
    assert (found["status"] == "ok") == whole
    verdict = zpl_poll(data[:length], b"")
    assert verdict.seen.ready == whole
    assert verdict.idle is True if whole else verdict.idle is None


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x02a\x03" * 3,
        answer(first="030,2,0,0812,000,0,0,0,000,0,0,0"),
        answer(first="030,0,0,08x2,000,0,0,0,000,0,0,0"),
        answer(first="030,0,0,-812,000,0,0,0,000,0,0,0"),
        answer(first="030,0,0,0812"),
        answer(second="000,0"),
        answer(third="x"),
        answer().replace(b"\x02", b""),
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_what_is_no_host_status_is_an_error_and_no_state(wrong: bytes) -> None:
    assert decode_printer("zpl-hs", wrong)["status"] == "error"
    assert decode_printer("zpl-hs", wrong)["reason"] == "bad_answer"
    assert not zpl_poll(wrong, b"").seen.ready


ERRORS = list(zpl_hqes.ERRORS.items())


@given(st.sets(st.sampled_from(ERRORS)), st.sets(st.sampled_from(list(zpl_hqes.WARNINGS.items()))))
def test_every_flag_has_its_bit(
    errors: set[tuple[int, str]], warnings: set[tuple[int, str]]
) -> None:
    def field(flags_: set[tuple[int, str]]) -> str:
        return f"{bool(flags_):d} 00000000 {sum(bit for bit, _ in flags_):08x}"

    found = decode_printer("zpl-hqes", flags(field(errors), field(warnings)))
    assert set(found["errors"]) == {name for _, name in errors}
    assert set(found["warnings"]) == {name for _, name in warnings}
    assert (found["status"] == "ok") == (not errors)


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("1 00000000 00000400", ["unknown_00000400"]),
        ("1 00000001 00000000", ["unknown_00000001_00000000"]),
        ("1 00000000 00000000", ["unspecified"]),
        ("0 00000000 00000004", ["head_open"]),
    ],
)
def test_a_fault_that_no_table_knows_is_a_fault(field: str, names: list[str]) -> None:
    found = decode_printer("zpl-hqes", flags(field))
    assert found["errors"] == names
    assert found["status"] in ("error", "attention")


def test_flags_on_lines_of_their_own_are_found() -> None:
    lines = ("\x02", "PRINTER STATUS", "ERRORS:", "1 00000000 0000000A", "WARNINGS:")
    data = "\r\n".join((*lines, "1 00000000 00000002", "\x03")).encode()
    found = decode_printer("zpl-hqes", data)
    assert (found["errors"], found["warnings"]) == (
        ["ribbon_out", "cutter_fault"],
        ["clean_printhead"],
    )


@pytest.mark.parametrize("length", range(1, len(flags("1 00000000 00000005"))))
def test_flags_cut_short_never_say_that_all_is_well(length: int) -> None:
    found = decode_printer("zpl-hqes", flags("1 00000000 00000005")[:length])
    assert found["status"] in ("error", "attention")


def test_identification_has_its_parts_and_may_lack_the_last() -> None:
    found = decode_printer("zpl-hi", b"\x02ZX-1-203dpi,V12.3.4Z,8,8176KB,X\x03\r\n")
    assert (found["model"], found["firmware"]) == ("ZX-1-203dpi", "V12.3.4Z")
    assert (found["dots_per_mm"], found["memory_kb"], found["options"]) == (8, 8176, ("X",))
    assert decode_printer("zpl-hi", b"\x02ZX,V1,12\x03")["dots_per_mm"] == 12
    assert decode_printer("zpl-hi", b"\x02ZX,V1,12,4MB")["incomplete"] is True
    assert decode_printer("zpl-hi", b"ZX,V1,12\x03")["status"] == "error"


def variable(name: str, data: bytes) -> dict[str, Any]:
    return decode_printer("zpl-sgd", data, f'! U1 getvar "{name}"\r\n')


def test_variables_mean_what_was_asked() -> None:
    assert variable("odometer.total_label_count", b'"000731"')["value"] == 731
    assert variable("device.unique_id", b'"0012"\r\n')["value"] == "0012"
    assert variable("odometer.total_print_length", b'"12 IN, 30 CM"')["value"] == "12 IN, 30 CM"
    unknown = variable("no.such", b'"?"')
    assert (unknown["value"], unknown["reason"]) == (None, "unknown_variable")
    assert variable("x", b"?\r\n")["reason"] == "unknown_variable"
    assert variable("odometer.total_label_count", b'"73')["incomplete"] is True
    assert variable("odometer.total_label_count", b"73")["incomplete"] is False
    status = b'"' + b"\r\n".join((FIRST.encode(), SECOND.encode(), b"1234,0")) + b'"'
    assert variable("device.host_status", status)["print_mode"] == "tear_off"
    for nonsense in (b'"nonsense"', b'""', b'"\r\n"'):
        assert variable("device.host_status", nonsense)["status"] == "error"
    alerts = variable(
        "alerts.configured", b'"PAPER OUT,TCP,Y,Y,10.0.0.1,91,N,|HEAD OPEN,UDP,Y,N,,0,N"'
    )
    assert [row[0] for row in alerts["alerts"]] == ["PAPER OUT", "HEAD OPEN"]


@pytest.mark.parametrize("data", [b'"12', b"12", b'12"', b"\x02"])
def test_a_value_without_both_its_quotes_is_none(data: bytes) -> None:
    assert variable("odometer.total_label_count", data)["status"] == "error"
    assert languages.count_of(data) is None


def test_a_poll_asks_for_the_flags_only_where_they_are_known() -> None:
    def asked(profile: PrinterProfile, known: bool) -> list[bytes]:
        dialogue, questions = poll(profile, error_flags=known), []
        question: Question = next(dialogue)
        try:
            while True:
                questions.append(question.data)
                question = dialogue.send(answer())
        except StopIteration:
            return questions

    assert asked(PrinterProfile(language="zpl"), True) == [b"~HS\r\n", b"~HQES\r\n"]
    assert asked(PrinterProfile(language="zpl"), False) == [b"~HS\r\n"]
    assert asked(PrinterProfile(language="zpl", error_flags=False), True) == [b"~HS\r\n"]


def test_silence_is_a_fault_unless_the_flags_name_its_reason() -> None:
    assert zpl_poll(b"", b"").seen.conditions == ("no_answer",)
    assert zpl_poll(b"", flags("1 00000000 00000001")).seen.conditions == ("media_out",)
    assert zpl_poll(b"", flags("0 00000000 00000000")).seen.conditions == ("no_answer",)
    assert not zpl_poll(b"", flags("0 00000000 00000000")).seen.answered
