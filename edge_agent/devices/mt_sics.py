"""Decodes MT-SICS, the command set of Mettler-Toledo scales. Pure: lines in, readings out.

Source: "MT-SICS Interface Commands" (reference manual for weigh modules, 11781363). A reply to
``S``, ``SI``, ``SR`` or ``SIR`` is ``S`` blank status blank value unit, where the value has ten
characters. Only status ``S`` (stable) and ``D`` (dynamic) carry a weight; everything else is a
fault, motion or an answer to another command, and never a weight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Status = Literal["ok", "motion", "overload", "underload", "busy", "info", "error"]

#: Units as scales spell them, in lower case, with their UN/ECE Recommendation 20 code.
UNITS = {
    "g": "GRM",
    "kg": "KGM",
    "mg": "MGM",
    "µg": "MC",
    "t": "TNE",
    "lb": "LBR",
    "oz": "ONZ",
    "ozt": "APZ",
    "ct": "CTM",
    "gn": "GRN",
    "dwt": "DWT",
    "pcs": "H87",
}

_WEIGHT = re.compile(r"S ([SD]) +(-?[0-9]+(?:\.[0-9]+)?)((?:\[[0-9]+\])?) +(\S{1,5})")
#: Replies without a weight, by command and status letter.
_REPLIES: dict[str, tuple[Status, str]] = {
    "S I": ("busy", "the scale cannot answer now"),
    "S +": ("overload", ""),
    "S -": ("underload", ""),
    "ES": ("error", "syntax_error"),
    "ET": ("error", "transmission_error"),
    "EL": ("error", "logical_error"),
    "Z A": ("info", "zeroed"),
    "ZI D": ("info", "zeroed"),
    "ZI S": ("info", "zeroed"),
    "Z +": ("error", "zero_range_exceeded_high"),
    "Z -": ("error", "zero_range_exceeded_low"),
    "T +": ("error", "tare_range_exceeded_high"),
    "T -": ("error", "tare_range_exceeded_low"),
    "TAC A": ("info", "tare_cleared"),
}
_OTHER_COMMAND = re.compile(r"([A-Z@]{1,3}[0-9]{0,2}) ([A-Z+-])(?: .*)?")


@dataclass(frozen=True, slots=True)
class ScaleReading:
    """What one line of a scale says."""

    status: Status
    said: str
    """The line as sent."""
    value: str | None = None
    """Decimal text exactly as weighed; only with ``ok``."""
    unit: str | None = None
    unece: str | None = None
    stable: bool = False
    mode: Literal["net", "gross"] = "net"
    """``S`` reports the net weight, which is the gross one when nothing is tared."""
    tare: str | None = None
    detail: str = ""


def decode(line: str) -> ScaleReading:
    """Decode one line without its CR LF. Never raises: what is not understood is an error."""
    said = line.strip("\r\n")
    weight = _WEIGHT.fullmatch(said)
    if weight is not None:
        return _weight(said, *weight.groups())
    known = _REPLIES.get(said.rstrip())
    if known is not None:
        return ScaleReading(known[0], said, detail=known[1])
    other = _OTHER_COMMAND.fullmatch(said)
    if other is not None and other[1] not in {"S", "SI", "SR", "SIR"}:
        return _answer(said, other[1], other[2])
    return ScaleReading("error", said, detail="not_understood")


def _weight(said: str, letter: str, value: str, unverified: str, spelling: str) -> ScaleReading:
    unit = spelling.lower()
    unece = UNITS.get(unit)
    if unece is None:
        return ScaleReading("error", said, detail=f"unknown_unit {spelling}")
    # Digits in brackets are measured and not approved for trade; they stand in `said` as such.
    value += unverified.strip("[]")
    return ScaleReading("ok", said, value, unit, unece, stable=letter == "S")


def _answer(said: str, command: str, letter: str) -> ScaleReading:
    if letter == "I":
        return ScaleReading("busy", said, detail="the scale cannot answer now")
    if letter in "LE+-":
        return ScaleReading("error", said, detail=f"{command} refused")
    return ScaleReading("info", said, detail="tared" if command in {"T", "TI"} else "")


class Lines:
    """Cuts a byte stream into lines at LF. A line that never ends is dropped and counted."""

    def __init__(self, longest: int = 256) -> None:
        self._longest = longest
        self._rest = b""
        self.dropped = 0
        """Bytes given up as noise."""

    def feed(self, data: bytes) -> list[str]:
        """The lines that ``data`` completes; bytes that are no text become U+FFFD."""
        *complete, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > self._longest:
            self.dropped += len(self._rest)
            self._rest = b""
        return [line.decode(errors="replace").strip("\r") for line in complete if line.strip()]

    def clear(self) -> None:
        """Forget half a line, as after a timeout."""
        self._rest = b""


class StableWeights:
    """Decides which stable weights are news: those that differ from the last one told."""

    def __init__(self, min_change: Decimal = Decimal(0)) -> None:
        self._min_change = min_change
        self._told: tuple[Decimal, str] | None = None

    def is_news(self, reading: ScaleReading) -> bool:
        if not reading.stable or reading.value is None or reading.unece is None:
            return False
        value = Decimal(reading.value)
        if self._told is not None and self._told[1] == reading.unece:
            difference = abs(value - self._told[0])
            if difference <= self._min_change:
                return False
        self._told = (value, reading.unece)
        return True

    def forget(self) -> None:
        """After the scale was away the same weight is news again."""
        self._told = None
