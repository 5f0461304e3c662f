"""How events stand in the tables: times as microseconds, ids as bytes, the event as its JSON."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

from pydantic import ValidationError

from cloud_relay.inbox.lanes import lane_moment
from cloud_relay.inbox.port import Entry, Status, Verdict
from edge_contract.event import CloudEvent
from edge_contract.kinds import EventReversed, document_of
from edge_contract.outcome import OdooRecord, Outcome, Stage
from edge_storage.sqlite import load_queries

SQL = load_queries("cloud_relay.inbox")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

#: What each status is on the ladder, as far as the site is told of it.
STAGES: dict[Status, Stage] = {
    "waiting": "relayed",
    "short": "relayed",
    "trace": "applied",
    "applied": "applied",
    "held": "held",
    "aside": "held",
    "rejected": "rejected",
    "discarded": "discarded",
}


def micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    return _EPOCH + value * _MICROSECOND


@dataclass(slots=True)
class Prepared:
    """An event of a batch with everything its rows need, worked out once."""

    event: CloudEvent
    key: tuple[bytes, str]
    """Event id and device."""
    position: int
    kind: str
    lane: str | None
    takes_back: bytes | None
    digest: bytes
    moment: int
    occurred: int
    text: str


def prepared(event: CloudEvent) -> Prepared:
    kind, data = event.kind, event.parsed()
    return Prepared(
        event=event,
        key=(event.id.bytes, event.device),
        position=int(event.position),
        kind=kind,
        lane=document_of(kind, data),
        takes_back=data.event.bytes if isinstance(data, EventReversed) else None,
        digest=bytes.fromhex(event.digest()),
        moment=micros(lane_moment(event)),
        occurred=micros(event.occurred),
        text=event.model_dump_json(exclude_none=True),
    )


def stored_event(text: str) -> CloudEvent:
    """The event as it was accepted, even by a release whose contract took more than this one's.

    It was acknowledged, so it must come out again: what is odd about it is for Odoo to refuse.
    """
    try:
        return CloudEvent.model_validate_json(text)
    except ValidationError:
        fields = json.loads(text)
        return CloudEvent.model_construct(
            **{
                **fields,
                "id": UUID(fields["id"]),
                "time": datetime.fromisoformat(fields["time"]),
                "recordedtime": datetime.fromisoformat(fields["recordedtime"]),
            }
        )


def entry_of(row: sqlite3.Row) -> Entry:
    """An entry from a row of the statements that select ``*`` of ``events``."""
    return Entry(
        number=row["number"],
        site=row["site"],
        target=row["target"],
        lane=row["lane"],
        event=stored_event(row["text"]),
        status=cast(Status, row["status"]),
        received=instant(row["received"]),
        attempts=row["attempts"],
        next_attempt=instant(
            row["received"] if row["next_attempt"] is None else row["next_attempt"]
        ),
        code=row["code"],
        message=row["message"],
        record=None if row["record"] is None else OdooRecord.model_validate_json(row["record"]),
        applied=None if row["applied"] is None else instant(row["applied"]),
    )


def lane_in(row: sqlite3.Row) -> str | None:
    """The lane that an event's own content names."""
    return CloudEvent.model_validate_json(row["text"]).document


def rung_of(device: str, event: bytes, at: datetime, verdict: Verdict) -> Outcome:
    """The rung that an event reached, as the site is told of it."""
    return Outcome(
        device=device,
        event=UUID(bytes=event),
        stage=STAGES[verdict.status],
        code=verdict.code,
        message=verdict.message,
        record=verdict.record,
        notes=verdict.notes,
        at=at,
    )
