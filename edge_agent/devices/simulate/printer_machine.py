"""A label printer without a line: what it answers, prints, counts and pushes. Pure.

Speaks ZPL (``~HS``, ``~HQES``, ``~HI``, SGD), ESC/POS (``DLE EOT``, ``GS r``) or TSPL (``<ESC>!?``,
``<ESC>!S``, ``~!T``), as the manuals of Zebra, Epson and TSC have it. Time is given to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Language = Literal["zpl", "escpos", "tspl"]

_TOKENS: dict[Language, re.Pattern[bytes]] = {
    "zpl": re.compile(
        rb"(?P<hs>~HS)|(?P<hqes>~HQES)|(?P<hi>~HI)|(?P<cancel>~JA)"
        rb'|! U1 getvar "(?P<get>[^"\r\n]*)"\r?\n?|(?P<label>\^XA.*?\^XZ)',
        re.DOTALL,
    ),
    "escpos": re.compile(rb"\x10\x04(?P<eot>[\x01-\x04])|\x1dr(?P<turn>[\x011])|(?P<cut>\x1dV.)"),
    "tspl": re.compile(
        rb"(?P<short>\x1b!\?)|(?P<long>\x1b!S)|(?P<model>~!T)"
        rb"|(?P<print>PRINT\s+\d+(?:\s*,\s*\d+)?\s*\r?\n)"
    ),
}
_QUANTITY = re.compile(rb"\^PQ\s*(\d+)")
_COUNTS = re.compile(rb"\d+")
_ALERTS = {
    "media_out": "PAPER OUT",
    "head_open": "HEAD OPEN",
    "ribbon_out": "RIBBON OUT",
    "paused": "PRINTER PAUSED",
}
_FAULTS = ("media_out", "head_open", "ribbon_out")


@dataclass
class _Format:
    data: bytes
    left: int
    question: bool = False
    """``GS r``: it is answered when its turn comes."""


class PrinterMachine:
    """Faults are plain attributes, to be set at any time."""

    def __init__(self, language: Language = "zpl") -> None:
        self.language = language
        self.paused = False
        self.media_out = False
        self.head_open = False
        self.ribbon_out = False
        self.quiet_faults = True
        """As Zebra says of its printers: no answer with media or ribbon out, or the head open."""
        self.flags_when_quiet = False
        """``~HQES`` is answered all the same, as many models do."""
        self.knows_flags = True
        self.knows_odometer = True
        self.odometer = 1000
        self.seconds_per_label = 0.0
        self.labels: list[bytes] = []
        """Jobs (``^XA`` to ``^XZ``) printed so far."""
        self.pushed: list[bytes] = []
        """Alerts that are to be sent; whoever sends them takes them out."""
        self.alerts = False
        """Whether any are pushed."""
        self.serial_number = "SIM0000001"
        self._heard = b""
        self._buffer: list[_Format] = []
        self._told: set[str] = set()
        self._next = 0.0

    @property
    def waiting(self) -> int:
        """Labels that are yet to be printed."""
        return sum(one.left for one in self._buffer)

    def cancel(self) -> None:
        """What was not printed is gone, as with the cancel button or a power cycle."""
        self._buffer.clear()
        self._heard = b""

    def hear(self, data: bytes, now: float) -> list[bytes]:
        """Take bytes; the answers to what they ask, in order."""
        self._heard += data
        answers: list[bytes] = []
        end = 0
        for token in _TOKENS[self.language].finditer(self._heard):
            answer = self._understood(token, self._heard[end : token.start()], now)
            end = token.end()
            if answer:
                answers.append(answer)
        self._heard = self._heard[end:][-4_000_000:]
        return [*answers, *self.work(now)]

    def work(self, now: float) -> list[bytes]:
        """Print what is due; answers that were waiting for their turn."""
        answers: list[bytes] = []
        self._push_changes()
        while self._buffer and self._able:
            one = self._buffer[0]
            if one.question:
                self._buffer.pop(0)
                answers.append(b"\x00")
                continue
            if now < self._next:
                break
            one.left -= 1
            self.odometer += 1
            self._next = now + self.seconds_per_label
            if one.left <= 0:
                self._buffer.pop(0)
                self.labels.append(one.data)
                self._push("ALERT: PQ JOB COMPLETED")
        return answers

    @property
    def _able(self) -> bool:
        return not (self.paused or any(getattr(self, fault) for fault in _FAULTS))

    @property
    def _quiet(self) -> bool:
        return self.quiet_faults and any(getattr(self, fault) for fault in _FAULTS)

    def _push(self, words: str) -> None:
        if self.alerts:
            line = f"{words} [2031-05-06 07:08:09] [{self.serial_number}]\r\n"
            self.pushed.append(line.encode())

    def _push_changes(self) -> None:
        now = {name for name in _ALERTS if getattr(self, name)}
        for name in sorted(now ^ self._told):
            kind = "ALERT" if name == "paused" else "ERROR"
            how = " CONDITION" if kind == "ERROR" else ""
            how = how if name in now else " CLEARED"
            self._push(f"{kind}{how}: {_ALERTS[name]}")
        self._told = now

    def _understood(self, token: re.Match[bytes], before: bytes, now: float) -> bytes:
        name = token.lastgroup or ""
        if name in ("label", "print", "cut", "turn"):
            self._take(name, token, before, now)
            return b""
        answers: dict[str, Callable[[], bytes]] = {
            "hs": self.host_status,
            "hqes": self._error_flags,
            "hi": lambda: b"\x02SIM-410,V99.1.2,8,8176KB,X\x03\r\n",
            "cancel": self._cancelled,
            "get": lambda: self._variable(token["get"]),
            "eot": lambda: self._real_time(token["eot"][0]),
            "short": lambda: bytes([self._flags()]),
            "long": self._long_status,
            "model": lambda: b"SIM-244\r\n",
        }
        return answers[name]()

    def _take(self, name: str, token: re.Match[bytes], before: bytes, now: float) -> None:
        if not self._buffer:
            self._next = now + self.seconds_per_label
        if name == "label":
            found = _QUANTITY.findall(token[0])
            self._buffer.append(_Format(token[0], int(found[-1]) if found else 1))
        elif name == "print":
            counts = [int(count) for count in _COUNTS.findall(token[0])]
            self._buffer.append(_Format(before + token[0], counts[0] * (counts[1:] or [1])[0]))
        else:
            if name == "cut" or before:
                self._buffer.append(_Format(before + token[0], 1))
            if name == "turn":
                self._buffer.append(_Format(b"", 0, question=True))

    def _cancelled(self) -> bytes:
        self._buffer.clear()
        return b""

    def host_status(self) -> bytes:
        """The answer to ``~HS``; empty while it is silent."""
        if self._quiet:
            return b""
        first = (
            f"030,{self.media_out:d},{self.paused:d},0812,{len(self._buffer):03d},0,0,0,000,0,0,0"
        )
        second = f"000,0,{self.head_open:d},{self.ribbon_out:d},1,2,4,0,{self.waiting:08d},1,000"
        return b"".join(b"\x02" + line.encode() + b"\x03\r\n" for line in (first, second, "1234,0"))

    def _error_flags(self) -> bytes:
        if not self.knows_flags or (self._quiet and not self.flags_when_quiet):
            return b""
        bits = self.media_out * 1 + self.ribbon_out * 2 + self.head_open * 4
        return (
            f"\x02\r\n  PRINTER STATUS  \r\n   ERRORS:         {bits > 0:d} 00000000 {bits:08X}\r\n"
            "   WARNINGS:       0 00000000 00000000\r\n\x03"
        ).encode()

    def _variable(self, name: bytes) -> bytes:
        if self._quiet:
            return b""
        if name == b"odometer.total_label_count" and self.knows_odometer:
            return b'"%d"' % self.odometer
        if name == b"device.host_status":
            return b'"' + re.sub(rb"[\x02\x03]", b"", self.host_status()).strip() + b'"'
        return b'"?"'

    def _real_time(self, number: int) -> bytes:
        """``DLE EOT`` is answered in every state; that is what it is for."""
        bits = {
            1: 0x08 * (not self._able),
            2: 0x04 * self.head_open | 0x20 * self.media_out,
            3: 0,
            4: 0x60 * self.media_out,
        }[number]
        return bytes([0x12 | bits])

    def _flags(self) -> int:
        printing = bool(self._buffer) and self._able
        return (
            self.head_open * 0x01
            | self.media_out * 0x04
            | self.ribbon_out * 0x08
            | self.paused * 0x10
            | printing * 0x20
        )

    def _long_status(self) -> bytes:
        fault = any(getattr(self, name) for name in _FAULTS)
        printing = bool(self._buffer)
        message = b"E" if fault else b"`" if self.paused else b"P" if printing else b"@"
        errors = 0x40 | self.media_out * 0x01 | self.ribbon_out * 0x04 | self.head_open * 0x20
        return b"\x02" + message + b"@@" + bytes([errors]) + b"\x03\r\n"
