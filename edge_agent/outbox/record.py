"""How an event is written into a row, proved when read, and turned into what travels to the relay.

Pure: no clock, no randomness, no database.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from pydantic_core import to_json

from edge_agent.outbox.port import Reading, Row
from edge_contract.event import CloudEvent, content_digest
from edge_contract.kinds import KINDS, TransferLine, document_of
from edge_contract.outcome import Outcome, Stage
from edge_contract.scalars import instant_text

#: Number of a stage as stored. ``DAMAGED`` is no rung of the ladder: bytes changed on disk.
STAGES: dict[Stage, int] = {
    "stored": 0,
    "relayed": 1,
    "held": 2,
    "applied": 3,
    "reconciled": 4,
    "rejected": 5,
    "discarded": 6,
}
DAMAGED = 9
STAGE_NAMES: dict[int, Stage] = {number: name for name, number in STAGES.items()}
STAGE_NAMES[DAMAGED] = "stored"
#: Nothing more is expected for these, so they may be deleted after their retention.
FINAL_STAGES: frozenset[Stage] = frozenset({"applied", "reconciled", "rejected", "discarded"})

_PROBE = TransferLine.model_construct(document="a name")
_LANE_KINDS = frozenset(kind for kind in KINDS if document_of(kind, _PROBE) is not None)
#: Characters of a document's name by which its events keep their order.
LANE_LENGTH = 48
_SIGN = 1 << 63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Stored(NamedTuple):
    """The part of a row that never changes; all of it goes into the digest."""

    position: int
    device: str
    id: bytes
    recorded: int
    """Microseconds since 1970."""
    body: bytes
    """JSON: kind, time, sequence, clock offset and uncertainty, data."""


class DamagedRow(Exception):
    """A row whose digest is not that of its content."""


def micros(moment: datetime) -> int:
    """Microseconds since 1970: four times as fast to write as text."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """The other way; bytes changed on disk may lie outside the calendar (``OverflowError``)."""
    return _EPOCH + timedelta(microseconds=microseconds)


def document_text(kind: str, data: dict[str, Any]) -> str | None:
    """The document an event belongs to, as :func:`edge_contract.kinds.document_of` names it."""
    if kind not in _LANE_KINDS:
        return None
    document = data.get("document")
    if document is None or isinstance(document, str):
        return document
    return document_of(kind, KINDS[kind].model_validate(data))


def lane_of(document: str | None) -> str | None:
    """The document's name, cut: two documents in one lane only wait in vain for each other.

    Names, not hashes, because those in use at a time lie close together in an index.
    """
    return None if document is None else document[:LANE_LENGTH]


def key_of(salt: bytes, device: str, event_id: bytes) -> int:
    """A signed 64-bit number for (device, id). Salted, so that nobody can aim at another's."""
    text = device.encode() + event_id
    return int.from_bytes(hashlib.blake2b(text, digest_size=8, key=salt).digest()) - _SIGN


def body_of(reading: Reading) -> bytes:
    """What is stored of a reading. Raises ``ValueError`` if it cannot be written as JSON."""
    event = reading.event
    return to_json(
        (
            event.kind,
            micros(event.time),
            event.seq,
            reading.clock_offset_ms,
            reading.clock_uncertainty_ms,
            event.data,
        )
    )


def row_digest(position: int, device: str, event_id: bytes, recorded: int, body: bytes) -> bytes:
    """SHA-256 by which a changed byte is noticed when the row is read."""
    head = f"{position}|{device}|{recorded}|".encode()
    return hashlib.sha256(head + event_id + body).digest()


def proved(row: Stored, digest: bytes) -> Stored:
    """The row itself, if its digest is right. Raises :class:`DamagedRow`."""
    try:
        genuine = row_digest(*row) == digest
    except TypeError:  # a column changed its type
        genuine = False
    if not genuine:
        raise DamagedRow(f"Position {row.position} changed on disk after it was stored.")
    return row


def content_of(body: bytes) -> str:
    """Digest of what the device said: see :func:`edge_contract.event.content_digest`."""
    kind, time, seq, _, _, data = json.loads(body)
    return content_digest(kind, moment(time), seq, data)


def cloud_event_of(row: Stored, site: str) -> CloudEvent:
    """The event as it travels. Its fields were checked before it was stored and its digest when
    it was read, so that they are not checked a third time."""
    kind, time, seq, offset, uncertainty, data = json.loads(row.body)
    subject = document_text(kind, data)
    if subject is None and isinstance(data.get("location"), str):
        subject = data["location"]
    return CloudEvent.model_construct(
        id=UUID(bytes=row.id),
        source=f"/sites/{site}/devices/{row.device}",
        type=f"warehouse.{kind}.v1",
        time=moment(time),
        recordedtime=moment(row.recorded),
        subject=subject,
        sequence=None if seq is None else f"{seq:015d}",
        position=f"{row.position:015d}",
        clockoffset=offset,
        clockuncertainty=uncertainty,
        data=data,
    )


def cloud_event_json(row: Stored, site: str) -> str:
    """:func:`cloud_event_of` as JSON text; ``data`` travels as it was written, unparsed."""
    kind, time, seq, offset, uncertainty, data = json.loads(row.body)
    subject = document_text(kind, data)
    if subject is None and isinstance(data.get("location"), str):
        subject = data["location"]
    event = {
        "specversion": "1.0",
        "id": str(UUID(bytes=row.id)),
        "source": f"/sites/{site}/devices/{row.device}",
        "type": f"warehouse.{kind}.v1",
        "time": instant_text(moment(time)),
        "recordedtime": instant_text(moment(row.recorded)),
        "datacontenttype": "application/json",
        "subject": subject,
        "sequence": None if seq is None else f"{seq:015d}",
        "position": f"{row.position:015d}",
        "clockoffset": offset,
        "clockuncertainty": uncertainty,
    }
    head = to_json({name: value for name, value in event.items() if value is not None})
    # Nothing before data in a body is an object, so the first brace is where data begins.
    data_as_stored = row.body[row.body.index(b"{") : -1]
    return f'{head[:-1].decode()},"data":{data_as_stored.decode()}}}'


def person_row(row: Stored, site: str, stage: int, outcome: str | None) -> Row:
    """A row for people."""
    return Row(
        event=cloud_event_of(row, site),
        device=row.device,
        stage=STAGE_NAMES[stage],
        outcome=None if outcome is None else Outcome.model_validate_json(outcome),
    )


def uuid7(milliseconds: int, random: bytes) -> UUID:
    """A time-ordered UUID (RFC 9562, version 7) from a clock's reading and 10 random bytes."""
    tail = int.from_bytes(random[:10])
    number = (milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | (tail >> 68 & 0xFFF) << 64
    return UUID(int=number | 2 << 62 | tail & (1 << 62) - 1)
