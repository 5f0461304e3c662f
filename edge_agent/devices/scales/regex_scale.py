"""Scales that write lines, described by regular expressions of their profile. Pure.

The long tail, with no code of its own: Ohaus, Adam and clones. The first pattern that matches the
whole line decides. A line has no start mark, so the framer is guarded. A printout of several lines
is one frame: a fault in it wins, then its first weight; lines that no pattern knows are passed by.
"""

from __future__ import annotations

import re

from edge_agent.devices.scales.framing import Lines
from edge_agent.devices.scales.profile import (
    Pattern,
    ScaleProfile,
    command_bytes,
    unit_of_profile,
)
from edge_agent.devices.scales.reading import (
    Mode,
    ScaleReading,
    failed,
    number,
    said_text,
    text_of,
    weighed,
)
from edge_agent.devices.scales.units import unit_of

_STABLE = {"yes": True, "no": False, "unknown": None}
#: No line of a scale is longer; it keeps a clumsy expression from taking long over noise.
_LONGEST = 128
_FIRST = ("overload", "underload", "motion", "busy", "error", "ok", "info")


class RegexScale:
    """One scale that is nothing but its profile."""

    def __init__(self, profile: ScaleProfile) -> None:
        self._profile = profile
        self._patterns = [(re.compile(pattern.match), pattern) for pattern in profile.patterns]

    def request(self) -> bytes | None:
        profile = self._profile
        if profile.mode == "streamed" or profile.command is None:
            return None
        return command_bytes(profile.command, end="")

    def framer(self) -> Lines:
        return Lines(guarded=True)

    def decode(self, frame: bytes, command: str | None = None) -> ScaleReading:
        if not frame:
            return failed(frame, "no_response")
        lines = re.split(r"[\r\n]", text_of(frame).strip("\x02\x03"))
        readings = [found for line in lines if (found := self._line(frame, line)) is not None]
        for status in _FIRST:
            for reading in readings:
                if reading.status == status:
                    return reading
        return failed(frame, "not_understood")

    def _line(self, frame: bytes, line: str) -> ScaleReading | None:
        if len(line) > _LONGEST:
            return None
        for compiled, pattern in self._patterns:
            found = compiled.fullmatch(line)
            if found is not None:
                return self._matched(frame, pattern, found.groupdict())
        return None

    def _matched(
        self, frame: bytes, pattern: Pattern, groups: dict[str, str | None]
    ) -> ScaleReading:
        detail = (groups.get("detail") or "").strip() or pattern.detail
        tare = number(groups.get("tare") or "", self._profile.decimal_mark)
        if pattern.status != "ok":
            return ScaleReading(
                pattern.status, said_text(frame), tare=tare[0] if tare else None, detail=detail
            )
        found = number(groups.get("value") or "", self._profile.decimal_mark)
        if found is None:
            return failed(frame, "not_understood")
        spelling = (groups.get("unit") or "").strip()
        unit = unit_of_profile(self._profile)
        if spelling:
            unit = unit_of(spelling, self._profile.units)
        if unit is None:
            return failed(frame, f"unknown_unit {spelling}" if spelling else "no_unit")
        mode: Mode | None = "net" if groups.get("net") else "gross" if groups.get("gross") else None
        stable = _STABLE[pattern.stable]
        if groups.get("stable"):
            stable = True
        if groups.get("unstable"):
            stable = False
        return weighed(
            frame,
            found[0],
            unit,
            stable=stable,
            mode=mode,
            tare=tare[0] if tare else None,
            unverified=found[1],
            detail=detail,
        )
