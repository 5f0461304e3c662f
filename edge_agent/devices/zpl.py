"""Decodes ``~HS``, the host status of ZPL printers. Pure: bytes in, a status out.

Source: Zebra "ZPL II Programming Guide", ~HS Host Status Return. The reply is three lines, each
between STX and ETX, and TCP may cut it anywhere. A printer with its media or ribbon out or its
head open does not answer at all, so silence is a fault of its own and is judged by the caller.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

COMMAND = b"~HS\r\n"
_STX, _ETX = b"\x02", b"\x03"
_LINE = re.compile(rb"\x02([^\x02\x03]*)\x03")
_PRINT_MODES = ("rewind", "peel_off", "tear_off", "cutter", "applicator", "delayed_cut")

State = Literal["ok", "busy", "paused", "attention", "error", "offline"]


@dataclass(frozen=True, slots=True)
class HostStatus:
    """The fields of ``~HS`` that mean something on every model."""

    paper_out: bool
    pause: bool
    label_length_dots: int
    formats_in_buffer: int
    buffer_full: bool
    partial_format: bool
    corrupt_ram: bool
    under_temp: bool
    over_temp: bool
    head_open: bool
    ribbon_out: bool
    thermal_transfer: bool
    print_mode: str
    label_waiting: bool
    labels_remaining: int

    def conditions(self) -> tuple[str, ...]:
        """What is worth a word, the worst first."""
        told = {
            "corrupt_ram": self.corrupt_ram,
            "over_temp": self.over_temp,
            "under_temp": self.under_temp,
            "head_open": self.head_open,
            "paper_out": self.paper_out,
            # a direct thermal printer has no ribbon to run out of
            "ribbon_out": self.ribbon_out and self.thermal_transfer,
            "pause": self.pause,
            "buffer_full": self.buffer_full,
            "label_waiting": self.label_waiting,
        }
        return tuple(name for name, holds in told.items() if holds)

    def state(self) -> State:
        """The one word for it: what keeps it from printing wins."""
        conditions = set(self.conditions())
        if conditions & {"corrupt_ram", "over_temp", "under_temp"}:
            return "error"
        if conditions & {"head_open", "paper_out", "ribbon_out"}:
            return "attention"
        if self.pause:
            return "paused"
        if self.formats_in_buffer or self.labels_remaining or self.partial_format:
            return "busy"
        return "ok"


class HostStatusReader:
    """Collects the bytes of one reply, however TCP cuts them."""

    def __init__(self, longest: int = 4096) -> None:
        self._data = b""
        self._longest = longest

    def feed(self, data: bytes) -> HostStatus | None:
        """The status once it is complete; raises ValueError when it is none."""
        self._data += data
        lines = _LINE.findall(self._data)
        if len(lines) < 3:
            if len(self._data) > self._longest:
                raise ValueError("the printer sent something else than a host status")
            return None
        return _decode(lines[0], lines[1])

    @property
    def begun(self) -> bool:
        """Whether anything came at all."""
        return bool(self._data)

    @property
    def text(self) -> str:
        """What came, for people."""
        shown = self._data.replace(_STX, b"").replace(_ETX, b"")
        return (
            shown.decode("ascii", errors="replace").replace("\r\n", " ").replace("\0", "�").strip()
        )


def _decode(first: bytes, second: bytes) -> HostStatus:
    one, two = first.decode("ascii", "replace").split(","), second.decode("ascii", "replace")
    fields = two.split(",")
    if len(one) < 12 or len(fields) < 9:
        raise ValueError("the host status has fewer fields than ZPL II says")
    mode = int(fields[5])
    return HostStatus(
        paper_out=_flag(one[1]),
        pause=_flag(one[2]),
        label_length_dots=int(one[3]),
        formats_in_buffer=int(one[4]),
        buffer_full=_flag(one[5]),
        partial_format=_flag(one[7]),
        corrupt_ram=_flag(one[9]),
        under_temp=_flag(one[10]),
        over_temp=_flag(one[11]),
        head_open=_flag(fields[2]),
        ribbon_out=_flag(fields[3]),
        thermal_transfer=_flag(fields[4]),
        print_mode=_PRINT_MODES[mode] if 0 <= mode < len(_PRINT_MODES) else str(mode),
        label_waiting=_flag(fields[7]),
        labels_remaining=int(fields[8]),
    )


def _flag(text: str) -> bool:
    value = int(text)
    if value not in (0, 1):
        raise ValueError(f"{text!r} is no flag of a host status")
    return value == 1
