"""What comes over a line of a scanner or reader, by the format of its profile. Pure.

Text is cut by ``[scanner.frame]`` and read as labels. With a JSON format the same framing cuts
documents, which are read as an MQTT payload is.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.devices.scanners.labels import Labels
from edge_agent.devices.scanners.payloads import Payloads
from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.reads import PayloadResult, ScannerRead
from edge_agent.devices.scanners.serial_frames import SerialFrames

#: A frame is taken as it is: every byte is a character of Latin-1.
_RAW = Labels(("latin-1",), (), (), "absent", "none", (), None, None, frozenset(), ())


class DocumentFrames:
    """JSON documents on a line."""

    def __init__(self, profile: ScannerProfile) -> None:
        self._frames = SerialFrames(profile, _RAW)
        self._payloads = Payloads(profile)

    @property
    def pending(self) -> int:
        return self._frames.pending

    @property
    def dropped(self) -> int:
        return self._frames.dropped

    def feed(self, data: bytes) -> list[PayloadResult]:
        return self._read(self._frames.feed(data))

    def idle(self) -> list[PayloadResult]:
        return self._read(self._frames.idle())

    def _read(self, frames: Sequence[PayloadResult]) -> list[PayloadResult]:
        found: list[PayloadResult] = []
        for frame in frames:
            if isinstance(frame, ScannerRead):
                found += self._payloads.read(frame.data.encode("latin-1"))
            else:
                found.append(frame)
        return found


def line_frames(profile: ScannerProfile) -> SerialFrames | DocumentFrames:
    """Fresh for each opening of the port."""
    if profile.format in {"text", "hex"}:
        return SerialFrames(profile)
    return DocumentFrames(profile)
