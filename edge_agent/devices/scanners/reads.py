"""What a scanner's bytes or payload turned out to be: the words the pure parts and links share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: Bytes kept of what cannot be read.
KEPT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ScannerRead:
    """One label or tag that was read."""

    data: str
    """Without framing, prefixes and identifiers; group separators are real ones."""
    symbology: str | None = None
    """AIM symbology identifier, as ``]C1``."""
    time: datetime | None = None
    """When, by the device's clock, in UTC; ``None``: it does not say (arrival counts)."""
    id: str | None = None
    """The device's own id of this read, as text."""
    sequence: int | None = None
    said_symbology: str | None = None
    """What the device calls the symbology, where it is not an AIM identifier."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """``antenna`` and the profile's extras that were there: text, numbers as said."""
    key: bytes = b""
    """Digest of the read's own content and of which one of equal ones in its payload it is."""


@dataclass(frozen=True, slots=True)
class MappedEvent:
    """A message that ``[scanner.event]`` made an event of; its data is checked later."""

    kind: str
    data: Mapping[str, Any]
    time: datetime | None
    id: str | None
    sequence: int | None
    key: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class NoRead:
    """The scanner says that it saw no label."""

    said: str


@dataclass(frozen=True, slots=True)
class UnreadableFrame:
    """Bytes that make no sense under the profile: quarantined by the caller, never guessed at."""

    raw: bytes
    """At most the first 64 KiB."""
    size: int
    code: str
    """One of ``complaints.COMPLAINTS``."""
    message: str
    """A sentence for an operator."""


#: What one serial frame is.
FrameResult = ScannerRead | NoRead | UnreadableFrame
#: What one read of a payload is.
PayloadResult = ScannerRead | MappedEvent | NoRead | UnreadableFrame


def unreadable(raw: bytes, code: str, message: str) -> UnreadableFrame:
    """An :class:`UnreadableFrame` with the head of ``raw``."""
    return UnreadableFrame(raw[:KEPT_BYTES], len(raw), code, message)
