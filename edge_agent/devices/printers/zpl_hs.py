"""Decodes ``~HS``, the host status of ZPL printers. Pure: bytes in, a status out.

Source: Zebra "ZPL II Programming Guide", ~HS Host Status Return. The reply is three lines, each
between STX and ETX, and TCP may cut it anywhere. A printer with its media or ribbon out or its
head open does not answer at all, so silence is a fault of its own and is judged by the caller.
``! U1 getvar "device.host_status"`` gives the same lines, quoted and without STX and ETX.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

COMMAND = b"~HS\r\n"
_FRAMED = re.compile(rb"\x02([^\x02\x03]*)\x03")
#: Only ASCII digits: ``int`` would take other scripts' digits, signs and underscores, too.
_NUMBER = re.compile(r"[0-9]{1,10}")
#: Fields that a line must have; some models send more.
_LEAST = (12, 9, 2)
_PRINT_MODES = {
    "0": "rewind",
    "1": "peel_off",
    "2": "tear_off",
    "3": "cutter",
    "4": "applicator",
    "5": "delayed_cut",
    "6": "linerless_peel",
    "7": "linerless_rewind",
    "8": "partial_cutter",
    "9": "rfid",
    "K": "kiosk",
    "S": "stream",
}


@dataclass(frozen=True, slots=True)
class FirstLine:
    """What the first line says."""

    paper_out: bool
    pause: bool
    label_length_dots: int
    formats_in_buffer: int
    buffer_full: bool
    diagnostic_mode: bool
    partial_format: bool
    corrupt_ram: bool
    under_temp: bool
    over_temp: bool


@dataclass(frozen=True, slots=True)
class SecondLine:
    """What the second line says."""

    head_open: bool
    ribbon_out: bool
    thermal_transfer: bool
    print_mode: str
    label_waiting: bool
    labels_remaining: int


@dataclass(frozen=True, slots=True)
class HostStatus:
    """A host status, or the part of it that arrived: then ``incomplete``."""

    first: FirstLine
    second: SecondLine | None = None
    incomplete: bool = False

    def conditions(self) -> tuple[str, ...]:
        """What keeps it from printing or is worth a word, in the agent's words."""
        first, second = self.first, self.second
        told = {
            "corrupt_ram": first.corrupt_ram,
            "over_temperature": first.over_temp,
            "under_temperature": first.under_temp,
            "media_out": first.paper_out,
            "paused": first.pause,
            "buffer_full": first.buffer_full,
        }
        if second is not None:
            told["head_open"] = second.head_open
            # a direct thermal printer has no ribbon to run out of
            told["ribbon_out"] = second.ribbon_out and second.thermal_transfer
            told["label_waiting"] = second.label_waiting
        return tuple(name for name, holds in told.items() if holds)

    @property
    def waiting(self) -> int:
        """Formats and labels that are yet to be printed."""
        remaining = 0 if self.second is None else self.second.labels_remaining
        return self.first.formats_in_buffer + remaining

    @property
    def busy(self) -> bool:
        return bool(self.waiting) or self.first.partial_format

    def fields(self) -> dict[str, Any]:
        """Everything it says, by name."""
        second = {} if self.second is None else asdict(self.second)
        return {**asdict(self.first), **second}


def complete(data: bytes) -> bool:
    """Whether all three lines of a reply are there."""
    return len(_FRAMED.findall(data)) >= len(_LEAST)


def host_status(data: bytes) -> HostStatus:
    """The status in ``data``; raises ValueError when it is none, not even a begun one."""
    return _status([line.decode("latin-1") for line in _FRAMED.findall(data)])


def quoted_status(text: str) -> HostStatus:
    """The status of ``device.host_status``; raises ValueError when it is none."""
    return _status([line for line in re.split(r"[\r\n]+", text.strip()) if line])


def _status(lines: list[str]) -> HostStatus:
    if not lines:
        raise ValueError("no line of a host status")
    first = _first(_fields(lines[0], 0))
    second = _second(_fields(lines[1], 1)) if len(lines) > 1 else None
    if len(lines) >= len(_LEAST):
        _fields(lines[2], 2)
    return HostStatus(first, second, incomplete=len(lines) < len(_LEAST))


def _fields(line: str, index: int) -> list[str]:
    fields = [field.strip() for field in line.split(",")]
    if len(fields) < _LEAST[index]:
        raise ValueError(f"line {index + 1} has fewer fields than ZPL II says")
    return fields


def _first(fields: list[str]) -> FirstLine:
    return FirstLine(
        paper_out=_flag(fields[1]),
        pause=_flag(fields[2]),
        label_length_dots=_number(fields[3]),
        formats_in_buffer=_number(fields[4]),
        buffer_full=_flag(fields[5]),
        diagnostic_mode=_flag(fields[6]),
        partial_format=_flag(fields[7]),
        corrupt_ram=_flag(fields[9]),
        under_temp=_flag(fields[10]),
        over_temp=_flag(fields[11]),
    )


def _second(fields: list[str]) -> SecondLine:
    return SecondLine(
        head_open=_flag(fields[2]),
        ribbon_out=_flag(fields[3]),
        thermal_transfer=_flag(fields[4]),
        print_mode=_PRINT_MODES.get(fields[5].upper(), fields[5]),
        label_waiting=_flag(fields[7]),
        labels_remaining=_number(fields[8]),
    )


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(f"{text!r} is no flag of a host status")
    return text == "1"


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is no number of a host status")
    return int(text)
