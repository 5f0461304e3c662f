"""Appending a burst: one transaction, in order, nothing twice, nothing lost, nothing guessed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from edge_agent.outbox.ledger import Ledger
from edge_agent.outbox.port import Appended, Reading, Unreadable
from edge_agent.outbox.record import (
    DAMAGED,
    STAGES,
    DamagedRow,
    body_of,
    content_of,
    document_text,
    key_of,
    lane_of,
    micros,
    proved,
    row_digest,
    uuid7,
)
from edge_agent.outbox.settings import OutboxSettings
from edge_agent.outbox.statements import SQL
from edge_contract.scalars import instant_text

Clock = Callable[[], datetime]
Randomness = Callable[[int], bytes]


class Intake:
    """Appends bursts to a ledger."""

    def __init__(
        self, ledger: Ledger, settings: OutboxSettings, clock: Clock, randomness: Randomness
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._randomness = randomness

    def append(self, burst: Sequence[Reading | Unreadable]) -> list[Appended]:
        with self._ledger.transaction():
            stored = _Burst(self, self._ledger)
            results = stored.store(burst)
        stored.committed()
        return results

    def new_id(self) -> UUID:
        """For a raw reading: its device made none."""
        return uuid7(int(self._clock().timestamp() * 1000), self._randomness(10))

    def quarantine(self, item: Unreadable) -> Appended:
        """Keep the bytes, and give up the oldest of the device with most when there is no room."""
        ledger = self._ledger
        device, origin, message = _text(item.device), _text(item.origin), _text(item.message[:2000])
        values = (device, origin, item.payload, item.size, item.code, message)
        ledger.connection.execute(SQL["insert_quarantine"], (*values, instant_text(item.recorded)))
        share = ledger.shares.setdefault(device, [0, 0])
        share[0] += 1
        share[1] += len(item.payload)
        ledger.counters["quarantined"] += 1
        while not self._quarantine_fits():
            self._give_up_oldest()
        return Appended("quarantined", None, None)

    def _quarantine_fits(self) -> bool:
        shares = self._ledger.shares.values()
        rows, size = sum(share[0] for share in shares), sum(share[1] for share in shares)
        settings = self._settings
        return rows <= settings.quarantine_max_rows and size <= settings.quarantine_max_bytes

    def _give_up_oldest(self) -> None:
        ledger = self._ledger
        device = max(ledger.shares, key=lambda name: ledger.shares[name])
        number, size = ledger.connection.execute(SQL["oldest_quarantined"], (device,)).fetchone()
        ledger.connection.execute(SQL["delete_quarantined"], (number,))
        share = ledger.shares[device]
        share[0] -= 1
        share[1] -= size
        if not share[0]:
            del ledger.shares[device]
        ledger.counters["quarantine_given_up"] += 1


class _Burst:
    """One burst on its way into the transaction."""

    def __init__(self, intake: Intake, ledger: Ledger) -> None:
        self._intake = intake
        self._ledger = ledger
        self._newest = ledger.newest
        self._recent = ledger.recent
        self._fresh: dict[int, int] = {}
        self._bodies: dict[int, bytes] = {}
        self._events: list[tuple[int, int, str | None, bytes, int, bytes, bytes]] = []

    def store(self, burst: Sequence[Reading | Unreadable]) -> list[Appended]:
        ledger = self._ledger
        results = [
            self._intake.quarantine(item) if isinstance(item, Unreadable) else self._take(item)
            for item in burst
        ]
        ledger.connection.executemany(SQL["insert_event"], self._events)
        if self._fresh:
            self._recent = ledger.write_full_runs(self._fresh)
        ledger.counters["newest"] = self._newest
        ledger.tally(STAGES["stored"], len(self._events))
        return results

    def committed(self) -> None:
        """Memory follows the disk, not the other way round."""
        self._ledger.keep(self._recent, self._fresh)

    def _take(self, reading: Reading) -> Appended:
        ledger, event, device = self._ledger, reading.event, reading.device
        event_id = event.id or self._intake.new_id()
        id_bytes = event_id.bytes
        try:
            body = body_of(reading)
            lane = lane_of(document_text(event.kind, event.data))
            key = key_of(ledger.salt, device, id_bytes)
        except (TypeError, ValueError) as error:
            return self._intake.quarantine(_unstorable(reading, error))
        if ledger.filter.add(key):
            known = self._known(key, event_id, reading, body)
            if known is not None:
                return known
        position = self._newest = self._newest + 1
        recorded = micros(reading.recorded)
        number = ledger.devices.get(device) or self._enrol(device)
        digest = row_digest(position, device, id_bytes, recorded, body)
        self._events.append((position, number, lane, id_bytes, recorded, body, digest))
        self._fresh[key] = position
        self._bodies[key] = body
        return Appended("new", event_id, position)

    def _enrol(self, device: str) -> int:
        number = len(self._ledger.devices) + 1
        self._ledger.connection.execute(SQL["insert_device"], (number, device))
        self._ledger.devices[device] = number
        return number

    def _known(self, key: int, event_id: UUID, reading: Reading, body: bytes) -> Appended | None:
        """The answer to an event that has been here before; ``None`` if it has not."""
        said = content_of(body)
        if key in self._fresh:
            same = said == content_of(self._bodies[key])
            return self._again(reading, event_id, self._fresh[key], same)
        ledger = self._ledger
        for position, content in ledger.positions_of(reading.device, event_id.bytes):
            if content is not None:
                return self._again(reading, event_id, position, said == content.hex())
            found = ledger.read(position)
            if found is None or found[0].id != event_id.bytes or found[0].device != reading.device:
                continue
            row, digest, stage = found
            try:
                same = said == content_of(proved(row, digest).body)
            except DamagedRow:
                if stage != DAMAGED:
                    ledger.restage(position, stage, DAMAGED)
                continue
            return self._again(reading, event_id, position, same)
        return None

    def _again(self, reading: Reading, event_id: UUID, position: int, same: bool) -> Appended:
        counters = self._ledger.counters
        if same:
            counters["duplicates"] += 1
            return Appended("duplicate", event_id, position)
        counters["conflicts"] += 1
        self._intake.quarantine(_conflict(reading, position))
        return Appended("conflict", event_id, None)


def _text(value: str) -> str:
    """Text that UTF-8 can hold: what a person reads must not stop what a person sent."""
    return value.encode("utf-8", "backslashreplace").decode()


def _conflict(reading: Reading, position: int) -> Unreadable:
    payload = reading.event.model_dump_json().encode()
    return Unreadable(
        device=reading.device,
        origin="outbox",
        payload=payload,
        size=len(payload),
        code="content_conflict",
        message=f"Event {reading.event.id} is stored with other content at position {position}. "
        "The first one counts; find the program on the device that uses an id twice.",
        recorded=reading.recorded,
    )


def _unstorable(reading: Reading, error: Exception) -> Unreadable:
    payload = json.dumps(reading.event.data, default=repr, ensure_ascii=True).encode()[:65536]
    return Unreadable(
        device=reading.device,
        origin="outbox",
        payload=payload,
        size=len(payload),
        code="not_json",
        message=f"The data of the {reading.event.kind} cannot be written as JSON ({error}). "
        "Correct the program on the device.",
        recorded=reading.recorded,
    )
