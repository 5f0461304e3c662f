"""SMA, the Scale Manufacturers Association's protocol, levels 1 and 2. Pure.

Source: SMA "Standard Scale Serial Communication Protocol" SCP-0499; Sartorius PR 5220 and PR 5211
instrument manuals. The standard reply has fixed fields: LF, status, range, gross or net, motion,
one reserved, ten characters of weight, three of unit, CR. Fixed fields and LF tell a frame that
was cut; there is no checksum.
"""

from __future__ import annotations

import re

from edge_agent.devices.scales.framing import Between, lf_to_cr
from edge_agent.devices.scales.profile import ScaleProfile, request_of
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

_STANDARD = re.compile(r"([ ZOUEIT])([0-9])([GTNgn])([ M])(.)(.{10})(.{3})")
_ABOUT = re.compile(r"([A-Z][A-Z ]{2}):(.*)")
_DIAGNOSTICS = re.compile(r"([R ])([E ])([C ])(.)")
_LENGTH = 18
_STATUS: dict[str, tuple[Status, str]] = {
    "O": ("overload", ""),
    "U": ("underload", ""),
    "E": ("error", "zero_error"),
    "I": ("error", "initial_zero_error"),
    "T": ("error", "tare_error"),
}
_MODES: dict[str, Mode] = {"G": "gross", "g": "gross", "N": "net", "n": "net"}
_REFUSALS = {"?": "unknown_command", "!": "communication_error"}


class Sma:
    """One scale that speaks SMA."""

    def __init__(self, profile: ScaleProfile) -> None:
        self._profile = profile

    def request(self) -> bytes | None:
        return request_of(self._profile, "W", begin="\n", end="\r")

    def framer(self) -> Between:
        return lf_to_cr()

    def decode(self, frame: bytes, command: str | None = None) -> ScaleReading:
        text = text_of(frame).strip("\r\n")
        if not text:
            return failed(frame, "not_understood" if frame else "no_response")
        if text in _REFUSALS:
            return failed(frame, _REFUSALS[text])
        about = _ABOUT.fullmatch(text)
        if about is not None:
            return ScaleReading("info", said_text(frame), detail=f"about {text.strip()}")
        diagnostics = _DIAGNOSTICS.fullmatch(text)
        if diagnostics is not None:
            return _diagnosed(frame, diagnostics[1], diagnostics[2], diagnostics[3])
        # blanks at the end of the unit get lost on the way to a support desk
        padded = text.ljust(_LENGTH) if len(text) >= _LENGTH - 2 else text
        standard = _STANDARD.fullmatch(padded)
        if standard is None:
            return failed(frame, "not_understood")
        return self._standard(frame, *standard.groups())

    def _standard(
        self,
        frame: bytes,
        status: str,
        _range: str,
        mode: str,
        motion: str,
        _reserved: str,
        digits: str,
        spelling: str,
    ) -> ScaleReading:
        fault = _STATUS.get(status)
        if fault is not None:
            return ScaleReading(fault[0], said_text(frame), detail=fault[1])
        found = number(digits) if digits[-1] != " " else None
        if found is None:
            if motion == "M" and not digits.strip(" -"):
                return ScaleReading("motion", said_text(frame))
            return failed(frame, "not_understood")
        value, unverified = found
        if mode == "T":
            return ScaleReading("info", said_text(frame), tare=value, detail="tare")
        unit = unit_of(spelling, self._profile.units)
        if unit is None:
            return failed(frame, f"unknown_unit {spelling.strip()}".strip())
        told = [
            word
            for word, holds in (("zero", status == "Z"), ("high_resolution", mode in "gn"))
            if holds
        ]
        return weighed(
            frame,
            value,
            unit,
            stable=motion != "M",
            mode=_MODES[mode],
            unverified=unverified,
            detail=" ".join(told),
        )


def _diagnosed(frame: bytes, memory: str, eeprom: str, calibration: str) -> ScaleReading:
    faults = [
        name
        for letter, name in (
            (memory, "ram_or_rom_error"),
            (eeprom, "eeprom_error"),
            (calibration, "calibration_error"),
        )
        if letter != " "
    ]
    if faults:
        return failed(frame, " ".join(faults))
    return ScaleReading("info", said_text(frame), detail="diagnostics_ok")
