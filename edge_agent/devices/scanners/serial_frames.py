"""Cuts the bytes of a serial scanner into reads, however they arrive. Pure."""

from __future__ import annotations

from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.reads import FrameResult


class SerialFrames:
    """The reads of one opening of a port. Any cutting of the same bytes gives the same reads."""

    dropped: int
    """Bytes given up as noise."""

    def __init__(self, profile: ScannerProfile) -> None:
        raise NotImplementedError

    def feed(self, data: bytes) -> list[FrameResult]:
        """What became complete with ``data``."""
        raise NotImplementedError

    def idle(self) -> list[FrameResult]:
        """The line was silent for ``frame.idle_flush_s``: what is pending is a read, if that is
        set; otherwise nothing happens."""
        raise NotImplementedError

    @property
    def pending(self) -> int:
        """Bytes that wait for the rest of their read."""
        raise NotImplementedError

    def clear(self) -> None:
        """Forget what is pending: the port was opened anew."""
        raise NotImplementedError
