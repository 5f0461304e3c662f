"""What happens to rows after they are stored: relayed, settled, sent again, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from edge_agent.outbox.ledger import RUN, Ledger
from edge_agent.outbox.record import (
    FINAL_STAGES,
    STAGES,
    DamagedRow,
    content_of,
    key_of,
    proved,
)
from edge_agent.outbox.settings import OutboxSettings
from edge_agent.outbox.statements import SQL
from edge_contract.outcome import Outcome
from edge_contract.scalars import instant_text

#: Rows looked at in one transaction of a renewal, and rows deleted in one call of ``prune``.
STEP = 5_000
PRUNED_A_CALL = 1_000
#: A row noted so much later than now was noted by a clock that was wrong.
_AHEAD = timedelta(days=1)


def mark_relayed(ledger: Ledger, positions: Sequence[int]) -> None:
    """A row that the relay holds, and that was sent again after a renewal, is still held."""
    with ledger.transaction() as connection:
        rows = [(position,) for position in positions]
        held = connection.executemany(SQL["mark_held_again"], rows).rowcount if rows else 0
        relayed = connection.executemany(SQL["mark_relayed"], rows).rowcount if rows else 0
        ledger.tally(STAGES["stored"], -held - relayed)
        ledger.tally(STAGES["held"], held)
        ledger.tally(STAGES["relayed"], relayed)


def begin_renewal(ledger: Ledger, generation: UUID, reason: str) -> None:
    """The new generation counts from here on; rows follow in steps, and none is pending before."""
    with ledger.transaction():
        ledger.put_state("generation", str(generation))
        ledger.put_state("renewal_reason", reason)
        ledger.put_state("renew_from", 0)
        ledger.put_state("renew_through", ledger.newest)
        ledger.counters["renewals"] += 1


def renewal_is_due(ledger: Ledger) -> bool:
    return int(ledger.state.get("renew_from", 0)) < int(ledger.state.get("renew_through", 0))


def renewal_step(ledger: Ledger) -> bool:
    """Make the next rows unrelayed that are not final; true while more are to do."""
    with ledger.transaction() as connection:
        start, end = int(ledger.state["renew_from"]), int(ledger.state["renew_through"])
        stop = min(start + STEP, end)
        for stage, rows in connection.execute(SQL["range_stages"], (start, stop)).fetchall():
            ledger.tally(stage, -rows)
            ledger.tally(STAGES["stored"], rows)
        connection.execute(SQL["unrelay_range"], (start, stop))
        ledger.put_state("renew_from", stop)
    return stop < end


def record_outcomes(
    ledger: Ledger, outcomes: Sequence[Outcome], cursor: int, now: datetime
) -> list[Outcome]:
    if outcomes and cursor <= ledger.cursor:
        return []
    with ledger.transaction():
        news = _note_all(ledger, outcomes, now)
        ledger.put_state("cursor", cursor)
    return news


def record_refusals(ledger: Ledger, outcomes: Sequence[Outcome], now: datetime) -> list[Outcome]:
    with ledger.transaction():
        return _note_all(ledger, outcomes, now)


def _note_all(ledger: Ledger, outcomes: Sequence[Outcome], now: datetime) -> list[Outcome]:
    noted = instant_text(now)
    near = ledger.newest
    news = []
    for outcome in outcomes:
        position = _note(ledger, outcome, noted, near)
        if position is not None:
            near = abs(position)
            if position > 0:
                news.append(outcome)
    return news


def _note(ledger: Ledger, outcome: Outcome, noted: str, near: int) -> int | None:
    """Position of the event, negative if this was known of it; ``None`` if it is not here."""
    for position, content in ledger.positions_of(outcome.device, outcome.event.bytes, near=near):
        found = ledger.read(position)
        if found is None and content is not None:
            return position
        if found is None:
            continue
        row, _, stage = found
        if row.id != outcome.event.bytes or row.device != outcome.device:
            continue
        body = outcome.model_dump_json()
        before = ledger.connection.execute(SQL["read_outcome"], (position,)).fetchone()
        if before is not None and before[0] == body and stage == STAGES[outcome.stage]:
            return -position
        if before is not None and is_of_the_first(outcome, Outcome.model_validate_json(before[0])):
            ledger.counters["outcomes_of_others"] += 1
            return -position
        final = int(outcome.stage in FINAL_STAGES)
        ledger.connection.execute(SQL["put_outcome"], (position, final, noted, body))
        ledger.restage(position, stage, STAGES[outcome.stage])
        # After a renewal the row was sent again, but what became of it is no news.
        return position if before is None or before[0] != body else -position
    ledger.counters["outcomes_of_others"] += 1
    return None


def is_of_the_first(outcome: Outcome, before: Outcome) -> bool:
    """A site hears what became of its other agents' events too. Where this outbox has other content
    under the same id, refused for that, it is the first one's fate."""
    conflict = before.stage == "rejected" and before.code == "content_conflict"
    return conflict and outcome.code != before.code


def prune(ledger: Ledger, settings: OutboxSettings, now: datetime, *, early: bool = False) -> int:
    """Delete final rows past their retention, or ``early``, oldest first: a new event is worth more
    than a settled one. Their ids are remembered for late resends."""
    before = instant_text(now if early else now - settings.retain_applied)
    with ledger.transaction() as connection:
        # noted while the clock was wrong: it would be kept until that time has come
        ahead = (instant_text(now), instant_text(now + _AHEAD), PRUNED_A_CALL)
        if noted := connection.execute(SQL["note_again"], ahead).rowcount:
            ledger.counters["noted_ahead"] += noted
        expired = connection.execute(SQL["expired"], (before, PRUNED_A_CALL)).fetchall()
        for (position,) in expired:
            _delete(ledger, position)
        if early and expired:
            ledger.counters["pruned_early"] += len(expired)
        while ledger.counters["remembered"] > settings.remember_ids:
            _forget_oldest_run(ledger)
        ledger.oldest_run = connection.execute(SQL["oldest_run"]).fetchone()[0] or 0
    if ledger.filter_is_stale():
        ledger.remember_anew()
    return len(expired)


def _delete(ledger: Ledger, position: int) -> None:
    found = ledger.read(position)
    if found is None:
        return
    row, digest, stage = found
    try:
        content = bytes.fromhex(content_of(proved(row, digest).body))
    except DamagedRow:  # its id may be wrong, too; the relay knows the resend
        ledger.counters["forgotten"] += 1
    else:
        key = key_of(ledger.salt, row.device, row.id)
        ledger.connection.execute(SQL["settle_seen"], (content, position // RUN, key, position))
        ledger.counters["remembered"] += 1
    ledger.connection.execute(SQL["delete_event"], (position,))
    ledger.connection.execute(SQL["delete_outcome"], (position,))
    ledger.tally(stage, -1)
    ledger.counters["pruned"] += 1


def _forget_oldest_run(ledger: Ledger) -> None:
    connection = ledger.connection
    row = connection.execute(SQL["oldest_settled_run"]).fetchone()
    if row is None:
        ledger.counters["remembered"] = 0
        return
    forgotten = connection.execute(SQL["forget_run"], row).rowcount
    ledger.counters["remembered"] -= forgotten
    ledger.counters["forgotten"] += forgotten
