"""Sartorius SBI, lines of 16 or 22 characters with CR LF. Pure.

Sources: Sartorius operating manuals LE (pages 51, 52), Quintix (87), FB (66), Combics 1 (98),
Entris II, WZA; "Data output format". Columns are fixed: sign, nine of weight that end in column
ten, a blank, three of unit; 22 characters have six of an identifier before. The bracket that
closes unverified digits stands in place of the blank (LE, GC) or is the last of the nine (Entris
II). A weight that is not stable has no unit. Instead of a weight the line may show a word.

A line has no start mark, and one of 22 that lost exactly its identifier is one of 16: the framer is
guarded. Otherwise the columns tell a cut line.
"""

from __future__ import annotations

import re

from edge_agent.devices.scales.framing import Lines
from edge_agent.devices.scales.profile import ScaleProfile, request_of, unit_of_profile
from edge_agent.devices.scales.reading import (
    Mode,
    ScaleReading,
    Status,
    failed,
    number,
    said_text,
    text_of,
    weighed,
)
from edge_agent.devices.scales.units import unit_of

_PLAIN, _LABEL = 14, 6
_STATE = "Stat"
_WEIGHT = re.compile(r"([+ -])([ 0-9.\[]{8}(?:[0-9.\]] |[0-9]\]))(.{3})")
_ERROR = re.compile(r"(?:e|err|error|app\.er|dis\.er|prt\.er)\.? *[0-9]*|(?:app|dis|prt)\.err?\.?")
_CALIBRATING = re.compile(r"c|cal.*|adjust.*|isocal.*")
_WORDS: dict[str, tuple[Status, str]] = {
    "high": ("overload", ""),
    "h": ("overload", ""),
    "hh": ("overload", ""),
    "low": ("underload", ""),
    "l": ("underload", ""),
    "ll": ("underload", ""),
    "--": ("info", "blank"),
    "": ("info", "blank"),
    "off": ("info", "off"),
}
_MODES: dict[str, Mode | None] = {
    "": None,
    "N": "net",
    "N1": "net",
    "Nt": "net",
    "G": "gross",
    "G#": "gross",
    "Qnt": None,
    "Prc": None,
}
_TARES = {"T", "T1", "T2", "PT", "PT1", "PT2", "Cont.T"}


class SartoriusSbi:
    """One balance that writes SBI."""

    def __init__(self, profile: ScaleProfile) -> None:
        self._profile = profile

    def request(self) -> bytes | None:
        return request_of(self._profile, "\x1bP", end="\r\n")

    def framer(self) -> Lines:
        return Lines(guarded=True)

    def decode(self, frame: bytes, command: str | None = None) -> ScaleReading:
        if not frame:
            return failed(frame, "no_response")
        text = text_of(frame).strip("\r\n")
        if text.startswith(_STATE):
            return _word(frame, text.removeprefix(_STATE)) or failed(frame, "not_understood")
        label, body = ("", text) if len(text) <= _PLAIN else (text[:_LABEL], text[_LABEL:])
        label = label.strip()
        weight = _WEIGHT.fullmatch(body.ljust(_PLAIN))
        found = number(weight[1] + weight[2]) if weight else None
        if weight is not None and found is not None:
            return self._weight(frame, label, found, weight[3].strip())
        return _word(frame, text) or failed(frame, "not_understood")

    def _weight(
        self, frame: bytes, label: str, found: tuple[str, str | None], spelling: str
    ) -> ScaleReading:
        value, unverified = found
        if label in _TARES:
            return ScaleReading("info", said_text(frame), tare=value, detail="tare")
        if label not in _MODES:
            return ScaleReading("info", said_text(frame), detail=f"{label} {value}")
        unit = (
            unit_of(spelling, self._profile.units) if spelling else unit_of_profile(self._profile)
        )
        if spelling and unit is None:
            return failed(frame, f"unknown_unit {spelling}")
        return weighed(
            frame,
            value,
            unit,
            stable=bool(spelling),
            mode=_MODES[label],
            unverified=unverified,
        )


def _word(frame: bytes, shown: str) -> ScaleReading | None:
    word = " ".join(shown.lower().split())
    known = _WORDS.get(word)
    if known is not None:
        return ScaleReading(known[0], said_text(frame), detail=known[1])
    if _ERROR.fullmatch(word):
        return failed(frame, word)
    if _CALIBRATING.fullmatch(word):
        return ScaleReading("busy", said_text(frame), detail="calibrating")
    return None
