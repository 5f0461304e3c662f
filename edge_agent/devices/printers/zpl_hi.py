"""Decodes ``~HI``, the identification of ZPL printers. Pure.

Source: Zebra "ZPL II Programming Guide", ~HI Host Identification: model, firmware, dots per
millimetre, memory, and options, between STX and ETX. Compatible printers leave the last ones out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

COMMAND = b"~HI\r\n"
_MEMORY = re.compile(r"([0-9]{1,9})\s*(KB?|MB?)?", re.IGNORECASE)
_DOTS = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Identification:
    """Who the printer says it is."""

    model: str
    firmware: str
    dots_per_mm: int | None
    memory_kb: int | None
    options: tuple[str, ...]
    incomplete: bool


def complete(data: bytes) -> bool:
    """Whether the whole reply is there."""
    return b"\x02" in data and b"\x03" in data[data.index(b"\x02") :]


def identification(data: bytes) -> Identification:
    """The identification in ``data``; raises ValueError when it is none."""
    start, end = data.find(b"\x02"), data.find(b"\x03", data.find(b"\x02") + 1)
    if start < 0:
        raise ValueError("no STX before an identification")
    text = data[start + 1 : end if end >= 0 else None].decode("latin-1").strip("\r\n")
    fields = [field.strip() for field in text.split(",")]
    if len(fields) < 2 or not fields[0] or not text.isprintable():
        raise ValueError("no identification")
    dots = fields[2] if len(fields) > 2 else ""
    return Identification(
        model=fields[0],
        firmware=fields[1],
        dots_per_mm=int(dots) if _DOTS.fullmatch(dots) else None,
        memory_kb=_kilobytes(fields[3]) if len(fields) > 3 else None,
        options=tuple(field for field in fields[4:] if field),
        incomplete=end < 0,
    )


def _kilobytes(text: str) -> int | None:
    found = _MEMORY.fullmatch(text)
    if found is None:
        return None
    return int(found[1]) * (1024 if (found[2] or "K").upper().startswith("M") else 1)
