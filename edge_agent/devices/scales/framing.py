"""Cuts a byte stream into frames. Pure: no clock, no port.

Each framer may be fed one byte at a time or many frames at once. What is no frame is dropped and
counted, and no more than one longest frame is ever held.

The first bytes after a port was opened may be the tail of a frame. Where a frame has a start byte
the tail is noise before it. Where it has only an end (``Lines``) a tail such as ``3.45 kg`` of
``123.45 kg`` looks like a frame: unless the decoder can tell by the frame's fixed head, the framer
is made with ``guarded`` and gives nothing before it has seen one end, or until ``clear`` tells it
that the line was quiet, so that the next byte begins a frame.
"""

from __future__ import annotations

import re

_STX, _CR, _LF = 0x02, 0x0D, 0x0A
#: Bytes that no line begins with: adapters make them when they are plugged in.
_NOISE = bytes([*range(0x20), *range(0x7F, 0x100)])
_ENDS = re.compile(rb"[\r\n]")


class Lines:
    """Lines that end with CR, LF or both."""

    def __init__(self, *, guarded: bool = False, longest: int = 256) -> None:
        self._longest = longest
        self._rest = b""
        self._skipping = guarded
        self.dropped = 0
        """Bytes given up as noise."""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes, without their ends."""
        *complete, self._rest = _ENDS.split(self._rest + data)
        if self._skipping and complete:
            self.dropped += len(complete.pop(0))
            self._skipping = False
        if len(self._rest) > self._longest:
            self.dropped += len(self._rest)
            self._rest, self._skipping = b"", True
        lines = []
        for line in complete:
            bare = line.lstrip(_NOISE)
            self.dropped += len(line) - len(bare)
            if len(bare) > self._longest:
                self.dropped += len(bare)
            elif bare:
                lines.append(bare)
        return lines

    def clear(self) -> None:
        """The line was quiet: half a line is given up, else the next byte begins one."""
        self._skipping = bool(self._rest)
        self.dropped += len(self._rest)
        self._rest = b""


class Between:
    """Frames that begin with one byte and end with another; a second begin starts anew."""

    def __init__(self, start: int, end: int, *, longest: int = 256) -> None:
        self._start, self._end, self._longest = start, end, longest
        self._frame: bytearray | None = None
        self.dropped = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that ``data`` completes, with their delimiters."""
        frames = []
        for byte in data:
            if byte == self._start:
                self.clear()
                self._frame = bytearray([byte])
            elif self._frame is None:
                self.dropped += 1
            else:
                self._frame.append(byte)
                if byte == self._end:
                    frames.append(bytes(self._frame))
                    self._frame = None
                elif len(self._frame) > self._longest:
                    self.clear()
        return frames

    def clear(self) -> None:
        self.dropped += len(self._frame or b"")
        self._frame = None


def stx_to_cr() -> Between:
    """STX … CR, as Toledo's demand protocols."""
    return Between(_STX, _CR)


def lf_to_cr() -> Between:
    """LF … CR, as SMA."""
    return Between(_LF, _CR)
