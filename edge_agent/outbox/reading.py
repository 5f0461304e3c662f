"""Reading the outbox: the next batch for the relay, and what people ask for.

Each function is bounded in time, so that intake never waits for a long report.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from edge_agent.outbox.gate import Room
from edge_agent.outbox.intake import Intake
from edge_agent.outbox.ledger import Ledger, tally_name
from edge_agent.outbox.port import Lag, Quarantined, Row, Unreadable
from edge_agent.outbox.record import (
    DAMAGED,
    STAGES,
    DamagedRow,
    Stored,
    cloud_event_json,
    cloud_event_of,
    moment,
    person_row,
    proved,
)
from edge_agent.outbox.selection import Lane, how_many_fit, select
from edge_agent.outbox.settle import renewal_is_due
from edge_agent.outbox.statements import SQL
from edge_contract.event import CloudEvent
from edge_contract.outcome import Stage

#: Positions looked at in one transaction when rows of one stage are asked for.
SCAN = 10_000


class _Backlog:
    """The unrelayed rows as :mod:`edge_agent.outbox.selection` asks for them: pages that grow."""

    def __init__(self, ledger: Ledger) -> None:
        self._connection = ledger.connection

    def devices(self) -> list[int]:
        return [number for (number,) in self._connection.execute(SQL["pending_devices"])]

    def of_device(self, device: int) -> Iterator[tuple[int, str | None]]:
        after, page = 0, 8
        while rows := self._connection.execute(
            SQL["pending_of_device"], (device, after, page)
        ).fetchall():
            yield from rows
            after, page = rows[-1][0], min(page * 4, 512)

    def of_lane(self, lane: Lane) -> Iterator[int]:
        after, page = 0, 4
        while rows := self._connection.execute(
            SQL["pending_of_lane"], (lane, after, page)
        ).fetchall():
            yield from (position for (position,) in rows)
            after, page = rows[-1][0], min(page * 4, 512)


def pending(
    ledger: Ledger, intake: Intake, site: str, limit: int, now: datetime
) -> list[CloudEvent]:
    """The next batch. Damaged rows go to the quarantine instead; nothing is sent as a guess."""
    return [cloud_event_of(row, site) for row in _next_rows(ledger, intake, limit, now)]


def pending_json(
    ledger: Ledger, intake: Intake, site: str, limit: int, max_bytes: int, now: datetime
) -> list[tuple[int, str]]:
    """:func:`pending` as text, cut before it outgrows ``max_bytes``."""
    turn = ledger.last_turn
    while True:
        rows = _next_rows(ledger, intake, limit, now)
        texts = [(row.position, cloud_event_json(row, site)) for row in rows]
        fitting = how_many_fit((text for _, text in texts), max_bytes)
        if fitting == len(texts):
            return texts
        # Cut at its end, the batch would lose the newest: choose anew, so that turns stay fair.
        limit, ledger.last_turn = fitting, turn


def _next_rows(ledger: Ledger, intake: Intake, limit: int, now: datetime) -> list[Stored]:
    if renewal_is_due(ledger):
        return []
    selection = select(_Backlog(ledger), limit, ledger.last_turn)
    waiting = ledger.counters[tally_name(STAGES["stored"])]
    if len(selection.positions) != min(limit, waiting):
        ledger.repair()
        selection = select(_Backlog(ledger), limit, ledger.last_turn)
    rows, damaged = [], []
    for position in selection.positions:
        found = ledger.read(position)
        if found is None:
            ledger.repair()
            return []  # the next call sees the backlog as it is
        row, digest, _ = found
        try:
            rows.append(proved(row, digest))
        except DamagedRow as error:
            damaged.append((row, str(error)))
    ledger.last_turn = selection.last
    if damaged:
        set_aside(ledger, intake, damaged, now)
    return rows


def set_aside(
    ledger: Ledger, intake: Intake, damaged: list[tuple[Stored, str]], now: datetime
) -> None:
    """Keep damaged rows out of the way, with what is left of their bytes."""
    with ledger.transaction():
        for row, message in damaged:
            payload = _remains(row)
            device = row.device if isinstance(row.device, str) else "unknown"
            remedy = "Check the disk; the device's resend or a person brings the event again."
            item = Unreadable(
                device, "outbox", payload, len(payload), "damaged", f"{message} {remedy}", now
            )
            intake.quarantine(item)
            ledger.restage(row.position, STAGES["stored"], DAMAGED)
            ledger.counters["damaged"] += 1


def _remains(row: Stored) -> bytes:
    return repr(tuple(row)).encode()


def rows(
    ledger: Ledger, site: str, stage: Stage | None, after: int, limit: int
) -> tuple[list[Row], int | None]:
    """Rows of the next stretch, and where the stretch after it begins."""
    end = after + (SCAN if stage is not None else limit)
    number = None if stage is None else STAGES[stage]
    asked = {"after": after, "through": end, "stage": number, "limit": limit}
    found = ledger.connection.execute(SQL["next_events"], asked).fetchall()
    people = []
    for values in found:
        row = Stored(*values[:5])
        try:
            people.append(person_row(proved(row, values[5]), site, values[6], values[7]))
        except DamagedRow:
            continue
    more = end if end < ledger.newest else None
    if len(found) == limit:
        more = found[-1][0]
    return people, more


def show(ledger: Ledger, site: str, device: str, event: UUID) -> Row | None:
    for position, _ in ledger.positions_of(device, event.bytes):
        found = ledger.read(position)
        if found is None or found[0].id != event.bytes or found[0].device != device:
            continue
        outcome = ledger.connection.execute(SQL["read_outcome"], (position,)).fetchone()
        row = proved(found[0], found[1])
        return person_row(row, site, found[2], outcome[0] if outcome else None)
    return None


def quarantine(ledger: Ledger, after: int, limit: int) -> list[Quarantined]:
    found = ledger.connection.execute(SQL["next_quarantined"], (after, limit))
    return [_quarantined(values) for values in found]


def _quarantined(values: tuple[Any, ...]) -> Quarantined:
    number, device, origin, payload, size, code, message, recorded = values
    when = datetime.fromisoformat(recorded)
    return Quarantined(number, Unreadable(device, origin, payload, size, code, message, when))


def lag(ledger: Ledger, room: Room, refused: str) -> Lag:
    count = {stage: ledger.counters[tally_name(number)] for stage, number in STAGES.items()}
    return Lag(
        newest_position=ledger.newest,
        stored=count["stored"] + count["relayed"] + count["held"],
        unrelayed=count["stored"],
        oldest_unrelayed=_oldest_unrelayed(ledger),
        held=count["held"],
        quarantined=sum(rows for rows, _ in ledger.shares.values()),
        damaged=ledger.counters[tally_name(DAMAGED)],
        bytes_used=room.used,
        refused=refused,
    )


def _oldest_unrelayed(ledger: Ledger) -> datetime | None:
    backlog = _Backlog(ledger)
    heads = (next(backlog.of_device(device), None) for device in backlog.devices())
    oldest = min((head[0] for head in heads if head is not None), default=None)
    found = None if oldest is None else ledger.read(oldest)
    if found is None:
        return None
    try:
        return moment(found[0].recorded)
    except (OverflowError, TypeError):
        return None
