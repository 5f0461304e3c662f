"""What a simulated scale makes of what it hears. Pure.

A handful of commands of each protocol: those that ask for a weight, those that discovery sends,
and what a scale says to one that it does not know.
"""

from __future__ import annotations

import re
from typing import Literal

from edge_agent.devices.scales.profile import ScaleProfile, ScaleProtocol

#: ``weight``: what lies there now. ``stable``: only when it rests. ``stream``: from now on without
#: being asked. ``stop``: no longer. ``status``: the status alone. Bytes are said as they are.
Answer = Literal["weight", "stable", "stream", "stop", "status", "nothing"] | bytes

_ANSWERS: dict[ScaleProtocol, dict[bytes, Answer]] = {
    "mt-sics": {
        b"S": "stable",
        b"SI": "weight",
        b"SIR": "stream",
        b"SR": "stream",
        b"@": b'I4 A "SIM-0001"\r\n',
        b"I4": b'I4 A "SIM-0001"\r\n',
        b"Z": b"Z A\r\n",
        b"ZI": b"ZI S\r\n",
        b"TAC": b"TAC A\r\n",
    },
    "toledo-8217": {b"W": "weight", b"H": "weight", b"Z": "status"},
    "toledo-continuous": {b"P": "weight"},
    "nci-scp01": {b"W": "weight", b"S": "status", b"Z": "status"},
    "sma": {
        b"W": "weight",
        b"P": "weight",
        b"R": "stream",
        b"Z": "weight",
        b"A": b"\nSMA:2/1.0\r",
        b"B": b"\nMFG:Simulated\r",
        b"\x1b": "stop",
    },
    "and-standard": {
        b"Q": "weight",
        b"SI": "weight",
        b"S": "stable",
        b"SIR": "stream",
        b"C": "stop",
        b"Z": b"\x06\r\n",
    },
    "sartorius-sbi": {b"\x1bP": "weight", b"\x1bx1_": b"  SIM-0001    \r\n"},
    "regex": {},
}
_UNKNOWN: dict[ScaleProtocol, Answer] = {
    "mt-sics": b"ES\r\n",
    "nci-scp01": b"\n?\r\x03",
    "sma": b"\n?\r",
    "and-standard": b"EC,E01\r\n",
}
_ENDS = re.compile(rb"[\r\n]+")
#: A command that never ends is forgotten.
_LONGEST = 256


class Ear:
    """Cuts what a scale hears into commands and knows the answer to each."""

    def __init__(self, profile: ScaleProfile) -> None:
        self._protocol = profile.protocol
        self._answers = dict(_ANSWERS[profile.protocol])
        if profile.command is not None:
            self._answers[profile.command.strip("\r\n").encode("latin-1", "replace")] = "weight"
        self._rest = b""
        self._echoing = False

    def hear(self, data: bytes) -> list[Answer]:
        """The answers to the commands that ``data`` completes."""
        if self._protocol == "toledo-8217":
            return [self._one(bytes([byte])) for byte in data]
        *commands, self._rest = _ENDS.split(self._rest + data)
        self._rest = self._rest[-_LONGEST:]
        unknown = _UNKNOWN.get(self._protocol, "nothing")
        return [self._answers.get(command, unknown) for command in commands if command]

    def _one(self, byte: bytes) -> Answer:
        """8217 has commands of one byte, and between E and F it repeats what it hears."""
        if byte in {b"E", b"F"}:
            self._echoing = byte == b"E"
            return b"\x02" + byte + b"\r"
        if self._echoing:
            return byte
        return self._answers.get(byte, "nothing")
