"""MT-SICS, the command set of Mettler-Toledo scales. Pure.

Source: "MT-SICS Interface Commands" (reference manual for weigh modules, 11781363). A reply to
``S``, ``SI``, ``SR``, ``SIR`` and their ``…U`` variants is ``S`` blank status blank value unit,
where the value has ten characters. Only status ``S`` (stable) and ``D`` (dynamic) carry a weight;
everything else is a fault, motion or an answer to another command, and never a weight. A reply
begins with its command, so the tail of a cut one is never taken for a weight.
"""

from __future__ import annotations

import re
from dataclasses import replace

from edge_agent.devices.scales.framing import Lines
from edge_agent.devices.scales.profile import ScaleProfile, request_of
from edge_agent.devices.scales.reading import (
    ScaleReading,
    Status,
    failed,
    number,
    said_text,
    text_of,
    weighed,
)
from edge_agent.devices.scales.units import unit_of

_WEIGHT = re.compile(r"(S|T|TI|TA) ([SDA]) +(\S+) +(\S{1,10}|oz t)")
_FAULT = re.compile(r"S [SD] +Error (\S+)")
_ANSWER = re.compile(r"([A-Z@]{1,4}[0-9]{0,3}) ([A-Z+-])(?: .*)?")
#: Replies without a weight, by command and status letter.
_REPLIES: dict[str, tuple[Status, str]] = {
    "S I": ("busy", "not_executable"),
    "S L": ("error", "wrong_parameter"),
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
    "ZI +": ("error", "zero_range_exceeded_high"),
    "ZI -": ("error", "zero_range_exceeded_low"),
    "T +": ("error", "tare_range_exceeded_high"),
    "T -": ("error", "tare_range_exceeded_low"),
    "TI +": ("error", "tare_range_exceeded_high"),
    "TI -": ("error", "tare_range_exceeded_low"),
    "TAC A": ("info", "tare_cleared"),
}


class MtSics:
    """One MT-SICS scale. Its weights are net, which is gross when nothing is tared."""

    def __init__(self, profile: ScaleProfile) -> None:
        self._profile = profile

    def request(self) -> bytes | None:
        return request_of(self._profile, "SI", end="\r\n")

    def framer(self) -> Lines:
        return Lines()

    def decode(self, frame: bytes, command: str | None = None) -> ScaleReading:
        line = text_of(frame).strip("\r\n").rstrip()
        if not line:
            return failed(frame, "no_response")
        known = _REPLIES.get(line)
        if known is not None:
            return ScaleReading(known[0], said_text(frame), detail=known[1])
        fault = _FAULT.fullmatch(line)
        if fault is not None:
            return failed(frame, f"scale_error {fault[1]}")
        weight = _WEIGHT.fullmatch(line)
        if weight is not None:
            return self._weight(frame, *weight.groups())
        answer = _ANSWER.fullmatch(line)
        if answer is not None and not answer[1].startswith("S"):
            return _answer(frame, answer[1], answer[2])
        return failed(frame, "not_understood")

    def _weight(
        self, frame: bytes, command: str, letter: str, digits: str, spelling: str
    ) -> ScaleReading:
        found = number(digits)
        if found is None or (letter == "A") != (command == "TA"):
            return failed(frame, "not_understood")
        if command != "S":
            detail = "tare" if command == "TA" else "tared"
            return ScaleReading("info", said_text(frame), tare=found[0], detail=detail)
        unit = unit_of(spelling, self._profile.units)
        if unit is None:
            return failed(frame, f"unknown_unit {spelling}")
        value, unverified = found
        reading = weighed(frame, value, unit, stable=letter == "S", mode="net")
        return replace(reading, unverified=unverified)


def _answer(frame: bytes, command: str, letter: str) -> ScaleReading:
    if letter == "I":
        return ScaleReading("busy", said_text(frame), detail="not_executable")
    if letter in "LE+-":
        return failed(frame, f"{command} refused")
    detail = "serial_number" if command == "I4" else "answer"
    return ScaleReading("info", said_text(frame), detail=detail)
