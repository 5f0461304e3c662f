"""A&D standard format, of balances and of weighing indicators (CAS and Dini Argeo write it too).

Sources: A&D EK-L instruction manual, 9-2; HC-i (error codes); AD-4408C, AD-4404 and AD-4329A
(indicators, with a second header for gross, net and tare). A line is header, comma, sign and
digits, unit. It begins with its header and ends with its unit, so a cut line is no weight. Pure.
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
from edge_agent.devices.scales.units import Unit, unit_of

_LINE = re.compile(r"(ST|QT|US|OL|LO|UL|HD)(?:,(?:(GS|NT|TR|PT)|([GNT]) ?))?,(.*)")
_DATA = re.compile(r"([+-]? *[0-9]*[.,]?[0-9]*(?:\[[0-9]+\])?),? *([^0-9 ][^0-9]*)?")
#: Sign, digits and point: nine characters as a rule, eight with indicators.
_WIDTHS = range(7, 13)
_ERROR = re.compile(r"EC, *E?0*([0-9]{1,2})")
_MODES: dict[str, Mode] = {"GS": "gross", "G": "gross", "NT": "net", "N": "net"}
_ERRORS: dict[str, tuple[Status, str]] = {
    "": ("error", "communication_error"),
    "1": ("error", "unknown_command"),
    "2": ("busy", "not_ready"),
    "4": ("error", "too_many_characters"),
    "6": ("error", "format_error"),
    "7": ("error", "out_of_range"),
    "11": ("motion", "cannot_stabilize"),
}


class AndStandard:
    """One A&D balance or indicator."""

    def __init__(self, profile: ScaleProfile) -> None:
        self._profile = profile

    def request(self) -> bytes | None:
        return request_of(self._profile, "Q", end="\r\n")

    def framer(self) -> Lines:
        return Lines()

    def decode(self, frame: bytes, command: str | None = None) -> ScaleReading:
        if not frame:
            return failed(frame, "no_response")
        text = text_of(frame).strip("\r\n")
        if text == "\x06":
            return ScaleReading("info", said_text(frame), detail="acknowledged")
        if text == "I":
            return ScaleReading("busy", said_text(frame), detail="not_executable")
        error = _ERROR.fullmatch(text.rstrip())
        if error is not None:
            code = error[1] if error[1] != "0" else ""
            status, detail = _ERRORS.get(code, ("error", f"scale_error E{code}"))
            return ScaleReading(status, said_text(frame), detail=detail)
        line = _LINE.fullmatch(text)
        if line is None:
            return failed(frame, "not_understood")
        return self._line(frame, line[1], line[2] or line[3] or "", line[4])

    def _line(self, frame: bytes, header: str, kind: str, data: str) -> ScaleReading:
        if header in {"OL", "LO", "UL"}:
            under = header == "UL" or data.lstrip().startswith("-")
            return ScaleReading("underload" if under else "overload", said_text(frame))
        shown = _DATA.fullmatch(data)
        found = number(shown[1], self._profile.decimal_mark) if shown else None
        if shown is None or found is None or len(shown[1].rstrip()) not in _WIDTHS:
            return failed(frame, "not_understood")
        value, unverified = found
        if kind in {"TR", "PT", "T"}:
            return ScaleReading("info", said_text(frame), tare=value, detail="tare")
        if header == "HD":
            return ScaleReading("info", said_text(frame), detail="hold")
        spelling = (shown[2] or "").strip()
        unit = self._unit(spelling, indicator=bool(kind))
        if unit is None:
            return failed(frame, f"unknown_unit {spelling}" if spelling else "no_unit")
        return weighed(
            frame,
            value,
            unit,
            stable=header != "US",
            mode=_MODES.get(kind),
            unverified=unverified,
        )

    def _unit(self, spelling: str, *, indicator: bool) -> Unit | None:
        if not spelling:
            return unit_of_profile(self._profile)
        if spelling == "t" and not indicator and "t" not in self._profile.units:
            return unit_of("tola")  # an A&D balance means tola; only indicators weigh tonnes
        return unit_of(spelling, self._profile.units)
