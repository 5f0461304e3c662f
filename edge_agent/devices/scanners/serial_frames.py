"""Cuts the bytes of a serial scanner into reads, however they arrive. Pure.

The order on the wire, as the manuals of Honeywell, Datalogic and SICK give it: start, preamble,
length, identifier, data, identifier, postamble, end. Invariants: any cutting of the same bytes
gives the same reads, and never more than ``max_bytes`` (and one token) wait.
"""

from __future__ import annotations

import re
from typing import Literal

from edge_agent.devices.scanners.labels import Labels, as_bytes
from edge_agent.devices.scanners.profile import LengthField, ScannerProfile
from edge_agent.devices.scanners.reads import FrameResult, UnreadableFrame

#: Bytes taken at once where frames say their length.
_PIECE = 4096


class SerialFrames:
    """The reads of one opening of a port."""

    def __init__(self, profile: ScannerProfile, labels: Labels | None = None) -> None:
        frame = profile.frame
        self.dropped = 0
        """Bytes given up as noise."""
        self._labels = Labels.of(profile) if labels is None else labels
        self._max = frame.max_bytes
        self._flush = frame.idle_flush_s is not None
        self._required = frame.start_required
        self._length = frame.length
        starts, self._ends = as_bytes(frame.start), as_bytes(frame.end)
        # Control characters are no data, so such a start begins a read wherever it stands.
        self._starts = tuple(start for start in starts if _is_control(start))
        self._heads = tuple(start for start in starts if not _is_control(start))
        self._all_starts = starts
        tokens = sorted(self._starts + self._ends, key=len, reverse=True)
        self._token = re.compile(b"|".join(map(re.escape, tokens))) if tokens else None
        self._longest = max(map(len, tokens), default=1)
        # What is left of longer ends that begin with one: LF of CR LF after CR.
        self._rests = {
            token: tuple(
                end[len(token) :] for end in self._ends if end != token and end.startswith(token)
            )
            for token in self._ends
        }
        self._prefixes = as_bytes(profile.prefix)
        self.clear()

    def clear(self) -> None:
        """Forget what is pending: the port was opened anew."""
        self._buffer = bytearray()
        self._scanned = 0
        self._open = False
        self._skipping = False
        self._tails: tuple[bytes, ...] = ()
        self._ended = False

    @property
    def pending(self) -> int:
        """Bytes that wait for the rest of their read."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[FrameResult]:
        """What became complete with ``data``."""
        found: list[FrameResult] = []
        if self._length is not None:
            for at in range(0, len(data), _PIECE):  # each frame looks at all that waits
                self._buffer += data[at : at + _PIECE]
                while self._measured(self._length, found):
                    pass
            return found
        self._buffer += data
        while self._cut(found):
            pass
        return found

    def idle(self) -> list[FrameResult]:
        """The line was silent for ``frame.idle_flush_s``: what is pending is a read, if that is
        set; otherwise nothing happens."""
        return self.flush() if self._flush else []

    def flush(self) -> list[FrameResult]:
        """What is pending is a whole read: nothing more will come."""
        found: list[FrameResult] = []
        rest = bytes(self._buffer)
        half_end = any(tail.startswith(rest) for tail in self._tails)
        half_end = half_end or (self._ended and not rest)
        if self._length is not None or self._skipping or half_end:
            self.dropped += len(rest)
        else:
            self._take(rest, found)
        self.clear()
        return found

    def _cut(self, found: list[FrameResult]) -> bool:
        """Take one token and what precedes it off the buffer; false when there is none."""
        buffer = self._buffer
        if self._tails and not self._drop_tail():
            return False
        match = self._token.search(buffer, self._scanned) if self._token else None
        if match is None:
            self._scanned = max(0, len(buffer) - self._longest + 1)
            if self._skipping:
                self.dropped += self._scanned
                del buffer[: self._scanned]
                self._scanned = 0
            elif self._scanned > self._max:
                self._too_long(bytes(buffer[: self._scanned]), found)
                del buffer[: self._scanned]
                self._scanned = 0
            return False
        segment, token = bytes(buffer[: match.start()]), match[0]
        del buffer[: match.end()]
        self._scanned = 0
        is_start = token in self._starts
        if self._skipping:
            self.dropped += len(segment)
            self._skipping = False
        elif len(segment) > self._max:
            self._too_long(segment, found)
            self._skipping = False
        elif is_start:
            self.dropped += len(segment)
        else:
            self._take(segment, found)
        self._open = is_start
        self._ended = not is_start
        self._tails = () if is_start else self._rests[token]
        return True

    def _drop_tail(self) -> bool:
        """Take off the rest of a longer end (LF after CR) that followed the end just taken."""
        head = bytes(self._buffer[: self._longest])  # not all of it: a payload may be all ends
        for tail in self._tails:
            if head.startswith(tail):
                del self._buffer[: len(tail)]
                self._tails = ()
                return True
        if any(tail.startswith(head) for tail in self._tails):
            return False
        self._tails = ()
        return True

    def _take(self, segment: bytes, found: list[FrameResult]) -> None:
        opened = self._open
        for head in self._heads:
            if segment.startswith(head):
                segment, opened = segment[len(head) :], True
                break
        if self._required and not opened:
            self.dropped += len(segment)
            return
        result = self._labels.read(segment)
        if result is not None:
            found.append(result)

    def _too_long(self, segment: bytes, found: list[FrameResult]) -> None:
        self._skipping = True
        self.dropped += max(0, len(segment) - self._max)
        if self._required and not self._open:
            self.dropped += min(len(segment), self._max)  # noise before any start
            return
        message = f"A read grew beyond {self._max} bytes without an end. Its head is kept."
        found.append(UnreadableFrame(segment[: self._max], self._max + 1, "too_large", message))

    def _measured(self, length: LengthField, found: list[FrameResult]) -> bool:
        """Take one frame with a length off the buffer; false when it needs more bytes."""
        buffer = bytes(self._buffer)
        starts = [(at, -len(s), s) for s in self._all_starts if (at := buffer.find(s)) >= 0]
        if not starts:
            keep = max(map(len, self._all_starts)) - 1
            self._give_up(max(0, len(buffer) - keep))
            return False
        at, _, start = min(starts)
        self._give_up(at)
        buffer, body = buffer[at:], len(start)
        prefix = _prefix_of(buffer[body:], self._prefixes)
        if prefix is None:
            return False
        body += prefix + length.size
        if len(buffer) < body:
            return False
        size = _number(buffer[body - length.size : body], length.form)
        if size is None or size > self._max:
            self._give_up(len(start))
            return True
        whole = body + size
        if len(buffer) < whole:
            return False
        ended = _ended(buffer[whole:], self._ends)
        if ended is None:
            return False
        if ended < 0:
            message = f"The read says that it has {size} bytes, and its end does not stand there."
            found.append(UnreadableFrame(buffer[:whole], whole, "bad_value", message))
            self._give_up(len(start))
            return True
        result = self._labels.read(buffer[body:whole])
        if result is not None:
            found.append(result)
        del self._buffer[: whole + ended]
        return True

    def _give_up(self, size: int) -> None:
        self.dropped += size
        del self._buffer[:size]


def _is_control(token: bytes) -> bool:
    return all(byte < 0x20 or byte == 0x7F for byte in token)


def _prefix_of(buffer: bytes, prefixes: tuple[bytes, ...]) -> int | None:
    """How long the prefix is that ``buffer`` begins with; ``None``: more bytes will tell."""
    for prefix in prefixes:
        if buffer.startswith(prefix):
            return len(prefix)
        if prefix.startswith(buffer):
            return None
    return 0


def _ended(buffer: bytes, ends: tuple[bytes, ...]) -> int | None:
    """How long the end is that ``buffer`` begins with, -1 without one, ``None``: too early."""
    for end in reversed(ends):  # the shortest, which is known first
        if buffer.startswith(end):
            return len(end)
        if end.startswith(buffer):
            return None
    return -1 if ends else 0


def _number(
    text: bytes, form: Literal["decimal", "hex", "big-endian", "little-endian"]
) -> int | None:
    if form == "big-endian":
        return int.from_bytes(text, "big")
    if form == "little-endian":
        return int.from_bytes(text, "little")
    digits = rb"[0-9]+" if form == "decimal" else rb"[0-9A-Fa-f]+"
    if not re.fullmatch(digits, text):
        return None
    return int(text, 10 if form == "decimal" else 16)
