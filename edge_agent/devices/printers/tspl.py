"""Decodes what TSPL printers answer, by the command that was sent. Pure.

Source: TSC "TSPL/TSPL2 Programming Manual", Status Polling and Immediate Commands: ``<ESC>!?`` is
one byte of flags, ``<ESC>!S`` four bytes between STX and ETX, ``~!…`` texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

STATUS = b"\x1b!?"
LONG_STATUS = b"\x1b!S"

FLAGS: Mapping[int, str] = {
    0x01: "head_open",
    0x02: "paper_jam",
    0x04: "media_out",
    0x08: "ribbon_out",
    0x10: "pause",
    0x20: "printing",
    0x40: "cover_open",  # of some makers of compatible printers; TSC leaves it free
    0x80: "other_error",
}
_MESSAGES: Mapping[int, str] = {
    0x40: "normal",
    0x60: "pause",
    0x42: "backing_label",
    0x43: "cutting",
    0x45: "error",
    0x46: "form_feed",
    0x4B: "waiting_to_press_print_key",
    0x4C: "waiting_to_take_label",
    0x50: "printing",
    0x57: "imaging",
}
#: Bits of the second to fourth byte beside the fixed bit 6.
_WARNINGS: Mapping[int, str] = {
    0x01: "paper_low",
    0x02: "ribbon_low",
    0x04: "reserved_04",
    0x08: "receive_buffer_full",
    0x20: "reserved_20",
}
_ERRORS_3: Mapping[int, str] = {
    0x01: "printhead_over_temperature",
    0x02: "motor_over_temperature",
    0x04: "printhead_error",
    0x08: "cutter_jam",
    0x10: "insufficient_memory",
    0x20: "unknown_error_20",
}
_ERRORS_4: Mapping[int, str] = {
    0x01: "media_out",
    0x02: "paper_jam",
    0x04: "ribbon_out",
    0x08: "ribbon_jam",
    0x10: "unknown_error_10",
    0x20: "head_open",
}
_LONG = re.compile(rb"\x02?([\x40-\x7f]{4})\x03(?:\r\n?|\n)?")
_WORKING = frozenset({"printing", "cutting", "form_feed", "backing_label", "imaging"})
_COUNT = re.compile(r"[0-9]{1,12}")
#: What is asked for by ``~!`` and a letter.
_TEXTS = {"T": "model", "I": "code_page", "@": "mileage", "A": "memory", "F": "files", "E": "setup"}


def command_of(command: str | None) -> str | None:
    """``!?``, ``!S``, ``~!T`` …, however the escape character is written."""
    if command is None:
        return None
    text = command.strip()
    for escape in ("\x1b", "<ESC>", "<esc>", "ESC", "\\x1b", "\\x1B", "\\e", "^["):
        if text.startswith(escape):
            return text[len(escape) :].strip()[:2]
    if text.startswith("~!"):
        return text[:3]
    return text[:2] if text.startswith("!") else None


def complete(question: bytes, data: bytes) -> bool:
    """Whether the whole answer is there."""
    if question == STATUS:
        return len(data) >= 1
    if question == LONG_STATUS:
        return b"\x03" in data
    return b"\r" in data or b"\n" in data


def answer_fields(frame: bytes, command: str | None) -> dict[str, Any]:
    """What the answer says; raises ValueError when it is none to that command."""
    asked = command_of(command)
    if asked in ("!S", "!s") or (command is None and _LONG.fullmatch(frame)):
        return _long(frame)
    if asked == "!?" or (command is None and len(frame) == 1):
        return _short(frame)
    if asked is not None and asked[:2] == "~!" and len(asked) == 3:
        return _text(frame, asked[2].upper())
    raise ValueError("which answer it is, only the command tells")


def _short(frame: bytes) -> dict[str, Any]:
    if len(frame) != 1:
        raise ValueError("a status is one byte")
    return {"flags": _names(frame[0], FLAGS)}


def _long(frame: bytes) -> dict[str, Any]:
    found = _LONG.fullmatch(frame)
    if found is None:
        raise ValueError("no status of four bytes between STX and ETX")
    message, warning, third, fourth = found[1]
    return {
        "message": _MESSAGES.get(message, f"unknown_{message:02x}"),
        "warnings": _names(warning & 0x3F, _WARNINGS),
        "errors": _names(third & 0x3F, _ERRORS_3) + _names(fourth & 0x3F, _ERRORS_4),
    }


def _text(frame: bytes, letter: str) -> dict[str, Any]:
    if letter == "C":  # whether there is a clock: a byte, or its digit
        value = frame.strip(b"\r\n")
        if value not in (b"\0", b"\1", b"0", b"1"):
            raise ValueError("no answer to ~!C")
        return {"clock": value in (b"\1", b"1"), "value": int(value in (b"\1", b"1"))}
    text = frame.decode("latin-1").strip("\r\n\0 ")
    if letter not in _TEXTS or not text or not all(c.isprintable() or c in "\r\n\t" for c in text):
        raise ValueError("no text that the manual names")
    value_: int | str = int(text) if letter == "@" and _COUNT.fullmatch(text) else text
    return {_TEXTS[letter]: value_, "value": value_}


def _names(byte: int, table: Mapping[int, str]) -> list[str]:
    return [name for bit, name in table.items() if byte & bit]


def conditions(fields: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """The same in the agent's words, and whether it is at work."""
    names = [*fields.get("flags", ()), *fields.get("errors", ()), *fields.get("warnings", ())]
    message = fields.get("message")
    if message == "pause":
        names.append("pause")
    elif message == "waiting_to_take_label":
        names.append("label_waiting")
    elif message == "waiting_to_press_print_key":
        names.append("waiting_for_key")
    elif (message == "error" and not names) or (message or "").startswith("unknown"):
        names.append("other_error")
    words = {"pause": "paused", "paper_low": "media_low", "cutter_jam": "cutter_fault"}
    busy = "printing" in names or message in _WORKING
    return tuple(dict.fromkeys(words.get(name, name) for name in names if name != "printing")), busy
