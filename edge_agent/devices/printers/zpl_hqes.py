"""Decodes ``~HQES``, the error and warning flags of ZPL printers. Pure.

Source: Zebra "ZPL II Programming Guide", ~HQ Host Query, tables "Error Flags (~HQES)" and "Warning
Flags (~HQES)". Each line is a flag, eight hex digits of group 2 and eight of group 1; Zebra puts
them in columns, makers of compatible printers on lines of their own, so the words are looked for
and not the columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

COMMAND = b"~HQES\r\n"

#: Bits of group 1. From ``paper_jam_during_retract`` on they are of kiosk printers.
ERRORS: Mapping[int, str] = {
    0x0000_0001: "media_out",
    0x0000_0002: "ribbon_out",
    0x0000_0004: "head_open",
    0x0000_0008: "cutter_fault",
    0x0000_0010: "printhead_over_temperature",
    0x0000_0020: "motor_over_temperature",
    0x0000_0040: "bad_printhead_element",
    0x0000_0080: "printhead_detection_error",
    0x0000_0100: "invalid_firmware_config",
    0x0000_0200: "printhead_thermistor_open",
    0x0000_1000: "paper_jam_during_retract",
    0x0000_2000: "presenter_not_running",
    0x0000_4000: "paper_feed_error",
    0x0000_8000: "clear_paper_path_failed",
    0x0001_0000: "paused",
    0x0002_0000: "retract_function_timed_out",
    0x0004_0000: "black_mark_calibrate_error",
    0x0008_0000: "black_mark_not_found",
}
WARNINGS: Mapping[int, str] = {
    0x0000_0001: "need_to_calibrate_media",
    0x0000_0002: "clean_printhead",
    0x0000_0004: "replace_printhead",
    0x0000_0008: "paper_near_end",
    0x0000_0010: "sensor_1_paper_before_head",
    0x0000_0020: "sensor_2_black_mark",
    0x0000_0040: "sensor_3_paper_after_head",
    0x0000_0080: "sensor_4_loop_ready",
    0x0000_0100: "sensor_5_presenter",
    0x0000_0200: "sensor_6_retract_ready",
    0x0000_0400: "sensor_7_in_retract",
    0x0000_0800: "sensor_8_at_bin",
}
_FLAGS = rb":?\s+([01])\s+([0-9A-Fa-f]{8})\s+([0-9A-Fa-f]{8})(?![0-9A-Fa-f])"
_ERROR_LINE = re.compile(rb"ERRORS" + _FLAGS)
_WARNING_LINE = re.compile(rb"WARNINGS" + _FLAGS)


@dataclass(frozen=True, slots=True)
class ErrorFlags:
    """What is wrong, and what soon will be, by the names of the manual's tables."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    incomplete: bool = False


def complete(data: bytes) -> bool:
    """Whether the whole reply is there."""
    return b"\x02" in data and b"\x03" in data[data.index(b"\x02") :]


def error_flags(data: bytes) -> ErrorFlags:
    """The flags in ``data``; raises ValueError when there are none."""
    errors, warnings = _ERROR_LINE.search(data), _WARNING_LINE.search(data)
    if errors is None:
        raise ValueError("no error flags")
    return ErrorFlags(
        _names(errors, ERRORS),
        () if warnings is None else _names(warnings, WARNINGS),
        incomplete=warnings is None,
    )


def _names(line: re.Match[bytes], table: Mapping[int, str]) -> tuple[str, ...]:
    """A flag that no table knows is kept under its number: a fault is never left out."""
    group_2, group_1 = int(line[2], 16), int(line[3], 16)
    names = [table.get(bit, f"unknown_{bit:08x}") for bit in _bits(group_1)]
    names += [f"unknown_{bit:08x}_00000000" for bit in _bits(group_2)]
    if not names and line[1] == b"1":
        names = ["unspecified"]
    return tuple(names)


def _bits(flags: int) -> list[int]:
    return [1 << place for place in range(32) if flags & (1 << place)]
