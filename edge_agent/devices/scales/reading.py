"""What a scale said, decoded: the one form that every protocol ends in. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from edge_agent.devices.scales.units import UNITS, Unit

__all__ = ["UNITS", "ScaleReading", "StableWeights", "Status", "failed", "number", "said_text"]

Status = Literal["ok", "motion", "overload", "underload", "busy", "info", "error"]
Mode = Literal["net", "gross"]

_NUMBER = re.compile(r"([+-]?) *([0-9]*)(\.[0-9]*)?")
_BRACKETED = re.compile(r"([^\[\]]*)\[([0-9.]+)\]")


@dataclass(frozen=True, slots=True)
class ScaleReading:
    """What one frame of a scale says. Only ``ok`` has a value: a fault is never a weight."""

    status: Status
    said: str
    """The frame without its delimiters; bytes that are no text as ``\\xNN``."""
    value: str | None = None
    """Decimal text as weighed: every decimal kept, the zeros that fill the field left out."""
    unit: str | None = None
    unece: str | None = None
    stable: bool | None = False
    """None: the protocol does not say."""
    mode: Mode | None = None
    """None: the protocol does not say."""
    tare: str | None = None
    """What is tared, in the unit of the weight, where the frame says it."""
    unverified: str | None = None
    """The last digits of ``value`` that are not approved for trade, where the frame marks them."""
    detail: str = ""


def failed(frame: bytes, detail: str) -> ScaleReading:
    """A frame that makes no sense."""
    return ScaleReading("error", said_text(frame), detail=detail)


def weighed(
    frame: bytes,
    value: str,
    unit: Unit | None,
    *,
    stable: bool | None,
    mode: Mode | None = None,
    tare: str | None = None,
    unverified: str | None = None,
    detail: str = "",
) -> ScaleReading:
    """A weight. ``unit`` is None where the frame carries none and the profile has none either."""
    name, code = (unit.name, unit.unece) if unit else (None, None)
    return ScaleReading(
        "ok", said_text(frame), value, name, code, stable, mode, tare, unverified, detail
    )


def number(text: str, mark: str = ".") -> tuple[str, str | None] | None:
    """A number as displayed, as (decimal text, unverified digits), or None when it is none.

    Displays fill their field with zeros or spaces and set the sign at its left end: ``-  001.20``
    is ``-1.20``. Digits in brackets, as in ``12.3[4]``, are measured and not approved for trade.
    """
    bare = text.strip().replace(mark, ".")
    bracketed = _BRACKETED.fullmatch(bare)
    unverified = None
    if bracketed is not None:
        bare, unverified = bracketed[1] + bracketed[2], bracketed[2].strip(".")
    found = _NUMBER.fullmatch(bare)
    if found is None or not (found[2] or (found[3] or ".")[1:]):
        return None
    sign, whole, decimals = found[1], found[2].lstrip("0") or "0", (found[3] or "").rstrip(".")
    return f"{sign.strip('+')}{whole}{decimals}", unverified


def said_text(frame: bytes) -> str:
    """A frame for people and for the record, without its delimiters."""
    return "".join(
        sign if sign.isprintable() else f"\\x{ord(sign):02x}"
        for sign in text_of(frame).strip("\x02\x03\r\n")[:200]
    )


def text_of(frame: bytes) -> str:
    """The characters of a frame. Scales write UTF-8 or Latin-1 where they leave ASCII (``µg``)."""
    try:
        return frame.decode()
    except UnicodeDecodeError:
        return frame.decode("latin-1")


class StableWeights:
    """Decides which stable weights are news: those that differ from the last one told."""

    def __init__(self, min_change: Decimal = Decimal(0), settle: int = 3) -> None:
        """``settle``: so often a weight comes alike before it counts as stable, where the scale
        does not say whether it is."""
        self._min_change = min_change
        self._settle = settle
        self._told: tuple[Decimal, str] | None = None
        self._last: tuple[str | None, str | None] | None = None
        self._alike = 0

    def is_news(self, reading: ScaleReading) -> bool:
        if not self._is_stable(reading) or reading.value is None or reading.unece is None:
            return False
        value = Decimal(reading.value)
        if self._told is not None and self._told[1] == reading.unece:
            difference = abs(value - self._told[0])
            if difference <= self._min_change:
                return False
        self._told = (value, reading.unece)
        return True

    def _is_stable(self, reading: ScaleReading) -> bool:
        seen = (reading.value, reading.unece)
        self._alike = self._alike + 1 if seen == self._last else 1
        self._last = seen
        if reading.status != "ok":
            return False
        return reading.stable or (reading.stable is None and self._alike >= self._settle)

    def forget(self) -> None:
        """After the scale was away the same weight is news again."""
        self._told = self._last = None
