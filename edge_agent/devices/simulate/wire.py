"""What goes wrong between a device and its line, on demand."""

from __future__ import annotations

import time
from collections.abc import Callable

from edge_agent.devices.simulate.lines import Line


class Wire:
    """A line whose device may fall silent, stall, stutter, glue and break off."""

    def __init__(self, line: Line, pause: Callable[[float], object] = time.sleep) -> None:
        self.line = line
        self.silent = False
        """Switched off: the line is there and nobody answers."""
        self.stuck = False
        """Hung: it takes nothing from the line and says nothing."""
        self.slow_s = 0.0
        """So long a pause after each byte."""
        self.glue = 1
        """So many frames leave in one piece."""
        self.half = 0
        """So many of the next frames break off in their middle."""
        self._pause = pause
        self._held: list[bytes] = []

    def hear(self) -> bytes:
        """What came since the last call; never waits."""
        return b"" if self.stuck else self.line.hear()

    def say(self, frame: bytes) -> None:
        """Send one frame, as far as it is able to."""
        if self.silent or self.stuck or not frame:
            return
        if self.half:
            self.half -= 1
            frame = frame[: max(1, len(frame) // 2)]
        self._held.append(frame)
        if len(self._held) < self.glue:
            return
        data = b"".join(self._held)
        self._held.clear()
        if not self.slow_s:
            self.line.say(data)
            return
        for byte in data:
            self.line.say(bytes([byte]))
            self._pause(self.slow_s)

    def noise(self, data: bytes) -> None:
        """Put bytes on the line unasked and at once."""
        self.line.say(data)
