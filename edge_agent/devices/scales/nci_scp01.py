"""NCI SCP-01, the protocol of Weigh-Tronix, Brecknell and many others. Pure.

Sources: Avery Weigh-Tronix 7821 user instructions, 6.3; NCI 6702 user manual, "Communication";
Ohaus Aviator 7000 service manual (the ECR variant, whose status begins with ``S``); Adam MDW.
A reply is LF weight unit CR LF status CR ETX, or the status alone, or LF ``?`` CR ETX. There are
two to four status bytes; bit 6 of one after the first says that another follows.

A weight counts only with its status: a frame that lost either is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge_agent.devices.scales.profile import ScaleProfile, request_of
from edge_agent.devices.scales.reading import (
    Mode,
    ScaleReading,
    Status,
    failed,
    number,
    said_text,
    weighed,
)
from edge_agent.devices.scales.units import unit_of

_ETX = b"\x03"
#: No line is longer; noise that is gets no look.
_LONGEST_LINE = 40
_FRAME = re.compile(rb"(?:\n[^\r\n\x03]*\r){1,2}\Z")
_WEIGHT = re.compile(r" *([+-]? *[0-9]*\.?[0-9]*) *([A-Za-z]{1,3}|%) *")
_STATUS = re.compile(rb"S?([\x30-\x3f][\x30-\x3f\x70-\x7f]{1,3})")
_BARS: dict[str, tuple[Status, str]] = {
    "^": ("overload", ""),
    "_": ("underload", ""),
    "-": ("error", "zero_error"),
}
_FAULTS = (
    (0, 0x04, "ram_error"),
    (0, 0x08, "eeprom_error"),
    (1, 0x04, "rom_error"),
    (1, 0x08, "faulty_calibration"),
    (2, 0x08, "initial_zero_error"),
)


@dataclass(frozen=True, slots=True)
class _State:
    """The status bytes."""

    bytes: bytes

    def has(self, index: int, bit: int) -> bool:
        return index < len(self.bytes) and bool(self.bytes[index] & bit)

    @property
    def motion(self) -> bool:
        return self.has(0, 0x01)

    @property
    def mode(self) -> Mode | None:
        if len(self.bytes) < 3:
            return None
        return "net" if self.has(2, 0x04) else "gross"

    def range_fault(self) -> Status | None:
        return "overload" if self.has(1, 0x02) else "underload" if self.has(1, 0x01) else None

    def fault(self) -> str | None:
        return next((name for index, bit, name in _FAULTS if self.has(index, bit)), None)


class NciScp01:
    """One scale that speaks SCP-01."""

    def __init__(self, profile: ScaleProfile) -> None:
        self._profile = profile

    def request(self) -> bytes | None:
        return request_of(self._profile, "W", end="\r")

    def framer(self) -> NciFrames:
        return NciFrames()

    def decode(self, frame: bytes, command: str | None = None) -> ScaleReading:
        lines = [line for line in re.split(rb"[\r\n]+", frame.strip(b"\r\n\x03")) if line]
        if lines == [b"?"]:
            return failed(frame, "unknown_command")
        if not lines:
            return failed(frame, "not_understood" if frame else "no_response")
        if max(map(len, lines)) > _LONGEST_LINE:
            return failed(frame, "not_understood")
        state = _state(lines[-1])
        if state is None or len(lines) > 2:
            return failed(frame, "not_understood" if len(lines) > 1 else "no_status")
        if len(lines) == 1:
            return _without_weight(frame, state)
        return self._with_field(frame, lines[0].decode("latin-1"), state)

    def _with_field(self, frame: bytes, field: str, state: _State) -> ScaleReading:
        bars = _bars(field)
        fault = state.range_fault()
        if fault or bars:
            status, detail = (fault, "") if fault else bars or ("error", "")
            return ScaleReading(status, said_text(frame), detail=detail)
        broken = state.fault()
        if broken:
            return failed(frame, broken)
        if unit_of(field) and not any(sign.isdigit() for sign in field):
            return ScaleReading("info", said_text(frame), detail="unit")  # the answer to U
        shown = _WEIGHT.fullmatch(field)
        found = number(shown[1]) if shown else None
        if shown is None or found is None:
            compound = re.fullmatch(r" *[0-9]+ *lb *[0-9.]+ *oz *", field, re.IGNORECASE)
            return failed(frame, "compound_unit lb oz" if compound else "not_understood")
        unit = unit_of(shown[2], self._profile.units)
        if unit is None:
            counts = shown[2].lower() == "mm"  # the answer to M: raw counts of the converter
            return failed(frame, "raw_counts" if counts else f"unknown_unit {shown[2]}")
        return weighed(
            frame,
            found[0],
            unit,
            stable=not state.motion,
            mode=state.mode,
            detail="zero" if state.has(0, 0x02) else "",
        )


def _without_weight(frame: bytes, state: _State) -> ScaleReading:
    """The answer to S, Z and T, and in the ECR variant to W when there is no weight."""
    fault = state.range_fault()
    if fault is None and state.motion:
        fault = "motion"
    if fault:
        return ScaleReading(fault, said_text(frame))
    broken = state.fault()
    if broken:
        return failed(frame, broken)
    return ScaleReading("info", said_text(frame), detail="zero" if state.has(0, 0x02) else "ready")


def _state(line: bytes) -> _State | None:
    found = _STATUS.fullmatch(line)
    if found is None:
        return None
    told = found[1]
    announced = [bool(byte & 0x40) for byte in told[1:]]
    whole = announced[-1] is False and all(announced[:-1])
    return _State(told) if whole else None


def _bars(field: str) -> tuple[Status, str] | None:
    """Whether the field shows bars instead of digits: upper, lower or middle ones."""
    shown = field.replace(" ", "").rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz%")
    if len(shown) < 2 or len(set(shown)) != 1:
        return None
    return _BARS.get(shown[0])


class NciFrames:
    """Cuts at ETX; a frame begins with the LF one or two lines before it."""

    def __init__(self, longest: int = 256) -> None:
        self._longest = longest
        self._rest = b""
        self.dropped = 0

    def feed(self, data: bytes) -> list[bytes]:
        *complete, self._rest = (self._rest + data).split(_ETX)
        if len(self._rest) > self._longest:
            self.dropped += len(self._rest)
            self._rest = b""
        frames = []
        for piece in complete:
            found = _FRAME.search(piece[-self._longest :])
            if found is None:
                self.dropped += len(piece) + 1
            else:
                self.dropped += len(piece) - len(found[0])
                frames.append(found[0] + _ETX)
        return frames

    def clear(self) -> None:
        self.dropped += len(self._rest)
        self._rest = b""
