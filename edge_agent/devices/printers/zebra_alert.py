"""Decodes the alerts that Zebra printers push, and finds them in what a line brings. Pure.

Source: Zebra "ZPL II, ZBI 2, Set-Get-Do Programming Guide", ^SX and alerts.add. An alert is a line
``KIND: CONDITION [time] [serial]``. The time is the printer's own, without a zone. The words
are in the language of the printer's display: what is not English is kept as it came, with the time
and the serial number that can be read in any language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

AlertState = Literal["set", "cleared"]

JOB_COMPLETED = "PQ JOB COMPLETED"
LABEL_TAKEN = "LABEL TAKEN"

#: Conditions that a printer can be set to tell (alerts.conditions, ^SX), in the agent's words.
CONDITIONS = {
    "PAPER OUT": "media_out",
    "MEDIA OUT": "media_out",
    "RIBBON OUT": "ribbon_out",
    "HEAD OPEN": "head_open",
    "HEAD TOO HOT": "over_temperature",
    "HEAD COLD": "under_temperature",
    "HEAD TOO COLD": "under_temperature",
    "SUPPLY TOO HOT": "supply_over_temperature",
    "MOTOR TOO HOT": "motor_over_temperature",
    "RIBBON IN": "ribbon_in",
    "REWIND": "rewinder_full",
    "REWIND FULL": "rewinder_full",
    "CUTTER JAM": "cutter_fault",
    "CUT ERROR": "cutter_fault",
    "PAPER JAM": "paper_jam",
    "MEDIA JAM": "paper_jam",
    "PRINTER PAUSED": "paused",
    "PAUSED": "paused",
    "HEAD ELEMENT BAD": "bad_printhead_element",
    "HEAD ELEMENT OUT": "bad_printhead_element",
    "CLEAN PRINTHEAD": "clean_printhead",
    "REPLACE HEAD": "replace_printhead",
    "MEDIA LOW": "media_low",
    "RIBBON LOW": "ribbon_low",
    "BATTERY LOW": "battery_low",
    "RFID ERROR": "rfid_error",
    "BASIC RUNTIME": "basic_runtime_error",
    "BASIC FORCED": "basic_forced_error",
    "NO READER PRESENT": "no_reader_present",
    "MED": "maintenance_due",
}
#: What happened once and does not last.
MOMENTS = frozenset(
    {
        JOB_COMPLETED,
        LABEL_TAKEN,
        "LABEL READY",
        "POWER ON",
        "COLD START",
        "SHUTTING DOWN",
        "RESTARTING",
        "SGD SET",
        "ALL MESSAGES",
    }
)
_KINDS: dict[str, AlertState] = {
    "ALERT": "set",
    "ALERT SET": "set",
    "ALERT CONDITION": "set",
    "ALERT CLEARED": "cleared",
    "ALERT CLEAR": "cleared",
    "ERROR": "set",
    "ERROR SET": "set",
    "ERROR CONDITION": "set",
    "ERROR CLEARED": "cleared",
    "ERROR CLEAR": "cleared",
    "WARNING": "set",
    "WARNING CONDITION": "set",
    "WARNING CLEARED": "cleared",
    "WARNING CLEAR": "cleared",
}
_BRACKETED = re.compile(r"\[([^\[\]]*)\]")
_TIME = re.compile(
    r"\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?",
    re.ASCII,
)
_SERIAL = re.compile(r"\s*([^\s()]+)\s*(?:\(.*\))?\s*")
#: No alert is longer: what is, is something else.
MOST_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. ``kind`` is ``unparsed`` when its words are not English; ``raw`` is all of it."""

    kind: str
    state: AlertState | None
    condition: str | None
    time: str | None
    serial: str | None
    raw: str


def alert(data: bytes) -> Alert:
    """The alert in one line; raises ValueError when it is none."""
    if not data.strip() or len(data) > MOST_BYTES:
        raise ValueError("no alert")
    try:
        text = data.decode("utf-8").strip("\x00\r\n \t")
    except UnicodeDecodeError:
        text = data.decode("latin-1").strip("\x00\r\n \t")
    if not text.isprintable():
        raise ValueError("control characters in an alert")
    times, serials = _tail(text)
    words = text.partition("[")[0].strip()
    kind, colon, condition = (part.strip() for part in words.partition(":"))
    found = _understood(kind.upper(), condition.upper()) if colon else None
    if found is not None:
        return Alert(*found, times, serials, text)
    if not (colon and (times or serials)):
        raise ValueError("no alert")
    return Alert("unparsed", None, None, times, serials, text)


def _understood(kind: str, condition: str) -> tuple[str, AlertState | None, str] | None:
    kind, condition = " ".join(kind.split()), " ".join(condition.split())
    state = _KINDS.get(kind)
    if state is not None:
        if condition.isascii() and condition:
            return kind, _by_word(condition) or state, _without_word(condition)
        return None
    if kind in MOMENTS or kind in CONDITIONS:  # LABEL TAKEN stands alone before its colon
        return kind, _by_word(condition) or "set", kind
    return None


def _by_word(condition: str) -> AlertState | None:
    last = condition.rpartition(" ")[2]
    return "cleared" if last in ("CLEARED", "CLEAR") else None


def _without_word(condition: str) -> str:
    head, _, last = condition.rpartition(" ")
    return head if head and last in ("CLEARED", "CLEAR", "SET") and head != "SGD" else condition


def _tail(text: str) -> tuple[str | None, str | None]:
    """Time and serial number, which stand in brackets in this order; either may be missing."""
    time = serial = None
    for part in _BRACKETED.findall(text):
        if time is None and serial is None and _TIME.fullmatch(part.strip()):
            time = part.strip()
        elif serial is None and (found := _SERIAL.fullmatch(part)):
            serial = found[1]
    return time, serial


#: An alert among answers: a line with brackets, which no answer has, or with a known beginning.
_AMONG = re.compile(
    rb"(?:(?<=[\r\n\x03\"])|\A)"
    rb"((?:(?:ALERT|ERROR|WARNING)[A-Z ]*:|LABEL (?:TAKEN|READY)[A-Z ]*:)[^\x02\x03\r\n\"]*"
    rb"|[^\x02\x03\r\n\"\[]+\[[^\x02\x03\r\n\"]*\][ ]*)\r?\n"
)


def take_alerts(data: bytes) -> tuple[bytes, list[bytes]]:
    """What is left of ``data`` without the alerts that stand among answers, and the alerts."""
    return _AMONG.sub(b"", data), [found[1] for found in _AMONG.finditer(data)]


class AlertLines:
    """Cuts what a printer pushes into lines, however they arrive; never grows without bound."""

    def __init__(self) -> None:
        self._held = b""
        self.dropped = 0
        """Bytes given up because no line ended in them."""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now, without their ends."""
        *lines, self._held = re.split(rb"[\r\n]+", self._held + data)
        if len(self._held) > MOST_BYTES:
            self.dropped += len(self._held)
            self._held = b""
        return [line for line in lines if line.strip()]

    def end(self) -> list[bytes]:
        """The last line, of a printer that closes the connection without ending it."""
        rest, self._held = self._held, b""
        return [rest] if rest.strip() else []
