"""ESC/POS and TSPL, and nonsense in every protocol."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.devices.printers import escpos, tspl
from edge_agent.devices.printers.decoding import PRINTER_PROTOCOLS, decode_printer
from edge_agent.devices.printers.languages import poll, sieve
from edge_agent.devices.printers.profile import PrinterProfile

SGD = ['! U1 getvar "device.host_status"', '! U1 getvar "alerts.configured"']
COMMANDS = [
    *SGD,
    None,
    "",
    "DLE EOT 1",
    "DLE EOT 4",
    "GS r 1",
    "ASB",
    "<ESC>!?",
    "<ESC>!S",
    "~!T",
    "~!@",
]


#: What occurs in answers, so that some of what is made up gets past the first look.
PARTS = [
    b"\x02",
    b"\x03",
    b",",
    b"0",
    b"1",
    b'"',
    b"?",
    b"\r\n",
    b"ERRORS:",
    b" 1 00000000 0000000F",
]
PARTS += [
    b"030,0,0,0812,000,0,0,0,000,0,0,0",
    b"000,0,0,0,0,2,4,0,00000000,1,000",
    b"ALERT: ",
    b"[]",
]
MADE_UP = st.lists(st.sampled_from(PARTS), max_size=12).map(b"".join)


@given(
    st.sampled_from(PRINTER_PROTOCOLS),
    st.binary(max_size=200) | MADE_UP,
    st.sampled_from(COMMANDS),
)
def test_no_bytes_break_a_decoder(protocol: str, frame: bytes, command: str | None) -> None:
    found = decode_printer(protocol, frame, command)
    assert found["status"] in ("ok", "busy", "paused", "attention", "error", "offline")


@pytest.mark.parametrize("protocol", PRINTER_PROTOCOLS)
@pytest.mark.parametrize("command", COMMANDS)
def test_silence_is_a_fault_in_every_protocol(protocol: str, command: str | None) -> None:
    found = decode_printer(protocol, b"", command)
    assert (found["status"], found["reason"]) == ("error", "no_response")


@pytest.mark.parametrize("number", range(1, 5))
def test_only_bytes_with_the_fixed_bits_are_a_real_time_status(number: int) -> None:
    good = {
        byte
        for byte in range(256)
        if decode_printer("escpos", bytes([byte]), f"DLE EOT {number}").get("reason") is None
    }
    assert good == {n for n in range(256) if re.fullmatch("0..1..10", f"{n:08b}")}


@pytest.mark.parametrize(
    ("command", "byte", "state", "fields"),
    [
        ("DLE EOT 1", 0x12, "ok", {"online": True, "drawer_pin3_high": False}),
        ("DLE EOT 1", 0x1A, "paused", {"online": False}),
        ("DLE EOT 1", 0x72, "ok", {"waiting_for_online_recovery": True, "feed_button": True}),
        ("DLE EOT 2", 0x16, "attention", {"cover_open": True}),
        ("DLE EOT 2", 0x32, "attention", {"paper_end": True}),
        ("DLE EOT 2", 0x52, "error", {"error": True}),
        ("DLE EOT 3", 0x1A, "error", {"cutter_error": True}),
        ("DLE EOT 3", 0x32, "error", {"unrecoverable": True}),
        ("DLE EOT 3", 0x52, "error", {"recoverable": True, "auto_recoverable": True}),
        ("DLE EOT 3", 0x16, "error", {"recoverable": True, "auto_recoverable": False}),
        ("DLE EOT 4", 0x12, "ok", {"paper": "ok"}),
        ("DLE EOT 4", 0x1E, "ok", {"paper": "near_end"}),
        ("DLE EOT 4", 0x72, "attention", {"paper": "end"}),
        ("DLE EOT 4", 0x7E, "attention", {"paper": "end"}),
        ("\x10\x04\x04", 0x1E, "ok", {"paper": "near_end"}),
        ("dle eot 4", 0x1E, "ok", {"paper": "near_end"}),
        ("<DLE> <EOT> 4", 0x1E, "ok", {"paper": "near_end"}),
        ("GS r 1", 0x03, "ok", {"paper": "near_end"}),
        ("GS r 49", 0x0C, "attention", {"paper": "end"}),
        ("GS r 2", 0x01, "ok", {"drawer_pin3_high": True}),
    ],
)
def test_a_status_byte_means_what_was_asked(
    command: str, byte: int, state: str, fields: dict[str, object]
) -> None:
    found = decode_printer("escpos", bytes([byte]), command)
    assert found["status"] == state
    assert {name: found[name] for name in fields} == fields


def test_an_automatic_status_is_four_bytes() -> None:
    found = decode_printer("escpos", b"\x3c\x08\x0f\x00", "ASB")
    assert (found["cover_open"], found["cutter_error"], found["paper"]) == (True, True, "end")
    assert decode_printer("escpos", b"\x10\x00\x00\x00", None)["status"] == "ok"
    for wrong in (b"\x10\x00\x00", b"\x12\x00\x00\x00", b"\x10\x10\x00\x00", b"\x10" * 5):
        assert decode_printer("escpos", wrong, "ASB")["status"] == "error"
    assert decode_printer("escpos", b"\x12", None)["status"] == "error", "which status is not told"


@pytest.mark.parametrize("bit", range(8))
def test_every_flag_of_tspl_has_its_bit(bit: int) -> None:
    found = decode_printer("tspl", bytes([1 << bit]), "\x1b!?")
    assert found["flags"] == [tspl.FLAGS[1 << bit]]
    assert (found["status"] == "busy") == (bit == 5)
    assert (found["status"] == "paused") == (bit == 4)


@pytest.mark.parametrize("command", ["<ESC>!?", "ESC !?", "\\x1b!?", "!?", "\x1b!?"])
def test_a_command_of_tspl_is_known_however_it_is_written(command: str) -> None:
    assert decode_printer("tspl", b"\x06", command)["flags"] == ["paper_jam", "media_out"]


HOT = ["printhead_over_temperature", "motor_over_temperature"]


@pytest.mark.parametrize(
    ("body", "message", "errors", "warnings", "state"),
    [
        (b"@@@@", "normal", [], [], "ok"),
        (b"`@@@", "pause", [], [], "paused"),
        (b"W@@@", "imaging", [], [], "busy"),
        (b"L@@@", "waiting_to_take_label", [], [], "ok"),
        (b"E@@D", "error", ["ribbon_out"], [], "attention"),
        (b"E@@`", "error", ["head_open"], [], "attention"),
        (b"E@@c", "error", ["media_out", "paper_jam", "head_open"], [], "attention"),
        (b"E@KH", "error", [*HOT, "cutter_jam", "ribbon_jam"], [], "error"),
        (b"E@@@", "error", [], [], "error"),
        (b"@C@@", "normal", [], ["paper_low", "ribbon_low"], "ok"),
        (b"@H@@", "normal", [], ["receive_buffer_full"], "ok"),
        (b"z@@@", "unknown_7a", [], [], "error"),
    ],
)  # fmt: skip
def test_the_long_status_of_tspl(
    body: bytes, message: str, errors: list[str], warnings: list[str], state: str
) -> None:
    found = decode_printer("tspl", b"\x02" + body + b"\x03\r\n", "<ESC>!S")
    assert (found["message"], found["errors"], found["warnings"]) == (message, errors, warnings)
    assert found["status"] == state


@pytest.mark.parametrize(
    ("frame", "command"),
    [
        (b"\x02@@@@\x03\r\n", "<ESC>!?"),
        (b"\x02@@@\x03\r\n", "<ESC>!S"),
        (b"\x02@@@\x01\x03\r\n", "<ESC>!S"),
        (b"@", "<ESC>!S"),
        (b"\x00", "what?"),
    ],
)
def test_the_answer_to_another_command_is_an_error(frame: bytes, command: str) -> None:
    assert decode_printer("tspl", frame, command)["status"] == "error"


def test_texts_of_tspl() -> None:
    assert decode_printer("tspl", b"TX-9\r\n", "~!T")["model"] == "TX-9"
    assert decode_printer("tspl", b"1207\r\n", "~!@")["mileage"] == 1207
    assert decode_printer("tspl", b"\x01", "~!C")["clock"] is True


def test_an_answer_in_turn_is_told_from_all_else_a_receipt_printer_says() -> None:
    take = sieve(PrinterProfile(language="escpos"))
    assert take(b"\x12\x00\x1e") == (b"\x12\x1e", [b"\x00"])
    assert take(b"\x10\x00\x00\x00\x03") == (b"", [b"\x03"]), "an automatic status proves nothing"
    assert take(b"\x10\x00\x00") == (b"\x10\x00\x00", []), "nor does its beginning"
    assert take(b"\x11\x13ok")[1] == []


def test_a_receipt_printer_is_asked_for_causes_when_it_is_offline() -> None:
    answers = {
        escpos.PRINTER: b"\x1a",
        escpos.OFFLINE: b"\x16",
        escpos.ERROR: b"\x12",
        escpos.PAPER: b"\x12",
    }
    dialogue = poll(PrinterProfile(language="escpos"))
    question = next(dialogue)
    for _ in range(3):
        question = dialogue.send(answers[question.data])
    with pytest.raises(StopIteration) as end:
        dialogue.send(answers[question.data])
    assert end.value.value.seen.conditions == ("head_open",)
