"""Decodes the status bytes of ESC/POS printers, by the command they answer. Pure.

Source: Epson "ESC/POS Application Programming Guide": DLE EOT n, GS r n, GS a n (ASB), and the
appendix on telling them apart by their fixed bits: DLE EOT ``0xx1xx10``, GS r and GS I
``0xx0xxxx``, ASB first byte ``0xx1xx00`` and then three of ``0xx0xxxx``.
"""

from __future__ import annotations

import re
from typing import Any, Literal

Kind = Literal["DLE EOT", "GS R", "ASB"]

PRINTER, OFFLINE, ERROR, PAPER = (b"\x10\x04" + bytes([n]) for n in (1, 2, 3, 4))
#: Waits in the printer's buffer: its answer says that everything sent before was worked off.
PAPER_IN_TURN = b"\x1dr\x01"
_CODES: tuple[tuple[bytes, Kind], ...] = (
    (b"\x10\x04", "DLE EOT"),
    (b"\x1dr", "GS R"),
    (b"\x1da", "ASB"),
)
_COMMAND = re.compile(
    r"(?:(?P<dle>DLE\s*EOT)|(?P<gsr>GS\s*R)|(?P<asb>ASB|GS\s*A))\b\s*(?P<n>\d{0,3})"
)


def command_of(command: str | None) -> tuple[Kind, int] | None:
    """Which status is asked for: ``DLE EOT 4``, ``GS r 1``, ``ASB``, or the bytes themselves."""
    if command is None:
        return None
    raw = command.encode("latin-1", "replace")
    for code, kind in _CODES:
        if raw.startswith(code) and len(raw) > len(code):
            number = raw[len(code)]
            return kind, number - 48 if 49 <= number <= 57 else number
    found = _COMMAND.search(command.upper().replace("<", " ").replace(">", " "))
    if found is None:
        return None
    number = int(found["n"] or 0)
    if found["dle"]:
        return "DLE EOT", number
    return ("GS R", number % 48) if found["gsr"] else ("ASB", number)


def real_time(byte: int) -> bool:
    """Whether the fixed bits are those of an answer to ``DLE EOT``."""
    return byte & 0x93 == 0x12


def in_turn(byte: int) -> bool:
    """Whether the fixed bits are those of an answer to ``GS r``."""
    return byte & 0x90 == 0x00


def asb_start(byte: int) -> bool:
    """Whether the fixed bits are those of the first byte of an automatic status."""
    return byte & 0x93 == 0x10


def status_fields(frame: bytes, command: str | None) -> dict[str, Any]:
    """What the status says; raises ValueError when it cannot be an answer to the command.

    Without a command four bytes are an automatic status; a single byte cannot be told.
    """
    asked = command_of(command)
    if asked is None:
        if len(frame) == 4 and command is None:
            return automatic_status(frame)
        raise ValueError("which status it is, only the command tells")
    kind, number = asked
    if kind == "ASB":
        return automatic_status(frame)
    if len(frame) != 1:
        raise ValueError("a status is one byte")
    (byte,) = frame
    if kind == "DLE EOT":
        if not real_time(byte):
            raise ValueError("its fixed bits are not those of DLE EOT")
        return _real_time_fields(number, byte)
    if not in_turn(byte):
        raise ValueError("its fixed bits are not those of GS r")
    return _in_turn_fields(number, byte)


def _real_time_fields(number: int, byte: int) -> dict[str, Any]:
    if number == 1:
        return {
            "online": not byte & 0x08,
            "drawer_pin3_high": bool(byte & 0x04),
            "waiting_for_online_recovery": bool(byte & 0x20),
            "feed_button": bool(byte & 0x40),
        }
    if number == 2:
        return {
            "cover_open": bool(byte & 0x04),
            "feed_button": bool(byte & 0x08),
            "paper_end": bool(byte & 0x20),
            "error": bool(byte & 0x40),
        }
    if number == 3:
        return {
            "cutter_error": bool(byte & 0x08),
            "unrecoverable": bool(byte & 0x20),
            # bit 6 ends by itself (a hot head); bit 2, where a model has it, with a person's help
            "recoverable": bool(byte & 0x44),
            "auto_recoverable": bool(byte & 0x40),
        }
    if number == 4:
        return {"paper": _paper(bool(byte & 0x60), bool(byte & 0x0C))}
    raise ValueError("only DLE EOT 1 to 4 are understood")


def _in_turn_fields(number: int, byte: int) -> dict[str, Any]:
    if number == 1:
        return {"paper": _paper(bool(byte & 0x0C), bool(byte & 0x03))}
    if number == 2:
        return {"drawer_pin3_high": bool(byte & 0x01)}
    raise ValueError("only GS r 1 and 2 are understood")


def automatic_status(frame: bytes) -> dict[str, Any]:
    """The four bytes of an automatic status; raises ValueError when they are none."""
    if len(frame) != 4 or not asb_start(frame[0]) or not all(map(in_turn, frame[1:])):
        raise ValueError("no automatic status: four bytes with their fixed bits")
    first, second, third, _ = frame
    return {
        "online": not first & 0x08,
        "drawer_pin3_high": bool(first & 0x04),
        "cover_open": bool(first & 0x20),
        "feed_button": bool(first & 0x40),
        "mechanical_error": bool(second & 0x04),
        "cutter_error": bool(second & 0x08),
        "unrecoverable": bool(second & 0x20),
        "auto_recoverable": bool(second & 0x40),
        "recoverable": bool(second & 0x40),
        "paper": _paper(bool(third & 0x0C), bool(third & 0x03)),
    }


def _paper(end: bool, near_end: bool) -> str:
    return "end" if end else "near_end" if near_end else "ok"


def conditions(fields: dict[str, Any]) -> tuple[str, ...]:
    """The same in the agent's words."""
    told = {
        "media_out": fields.get("paper") == "end" or fields.get("paper_end"),
        "head_open": fields.get("cover_open"),
        "cutter_fault": fields.get("cutter_error"),
        "unrecoverable_error": fields.get("unrecoverable"),
        "recoverable_error": fields.get("recoverable"),
        "mechanical_error": fields.get("mechanical_error"),
        "other_error": fields.get("error"),
        "media_low": fields.get("paper") == "near_end",
    }
    found = [name for name, holds in told.items() if holds]
    if fields.get("online") is False and not found:
        found.append("paused")
    return tuple(found)
