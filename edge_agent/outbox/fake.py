"""The outbox in memory, for tests of what uses it. It passes the same conformance suite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from edge_agent.outbox.port import (
    Appended,
    IntakeRefused,
    Lag,
    Quarantined,
    Reading,
    Row,
    Unreadable,
)
from edge_agent.outbox.record import (
    FINAL_STAGES,
    Stored,
    body_of,
    cloud_event_json,
    cloud_event_of,
    content_of,
    document_text,
    lane_of,
    micros,
    moment,
    uuid7,
)
from edge_agent.outbox.selection import Lane, how_many_fit, select
from edge_agent.outbox.settle import is_of_the_first
from edge_contract.event import CloudEvent
from edge_contract.outcome import Outcome, Stage


@dataclass
class _Entry:
    row: Stored
    lane: str | None
    stage: Stage = "stored"
    outcome: Outcome | None = None
    noted: datetime | None = None


class MemoryOutbox:
    """See :class:`edge_agent.outbox.port.Outbox`. Set ``refusal`` to have intake refused."""

    def __init__(
        self,
        *,
        site: str,
        clock: Callable[[], datetime],
        randomness: Callable[[int], bytes],
        retain_applied: timedelta = timedelta(hours=168),
    ) -> None:
        self.refusal: IntakeRefused | None = None
        self.entries: dict[int, _Entry] = {}
        self._site = site
        self._clock = clock
        self._randomness = randomness
        self._retain = retain_applied
        self._generation = UUID(bytes=randomness(16), version=4)
        self._seen: dict[tuple[str, UUID], tuple[int, str]] = {}
        self._newest = 0
        self._cursor = 0
        self._last: int | None = None
        self._devices: list[str] = []
        self._quarantine: list[Quarantined] = []
        self._counters: Counter[str] = Counter()

    @property
    def generation(self) -> UUID:
        return self._generation

    async def append(self, burst: Sequence[Reading | Unreadable]) -> list[Appended]:
        return self.append_blocking(burst)

    def append_blocking(self, burst: Sequence[Reading | Unreadable]) -> list[Appended]:
        if self.refusal is not None:
            self._counters["refused_bursts"] += 1
            raise self.refusal
        return [
            self._set_aside(item) if isinstance(item, Unreadable) else self._take(item)
            for item in burst
        ]

    def _set_aside(self, item: Unreadable) -> Appended:
        self._counters["quarantined"] += 1
        self._quarantine.append(Quarantined(self._counters["quarantined"], item))
        return Appended("quarantined", None, None)

    def _take(self, reading: Reading) -> Appended:
        event = reading.event
        milliseconds = int(self._clock().timestamp() * 1000)
        event_id = event.id or uuid7(milliseconds, self._randomness(10))
        try:
            body = body_of(reading)
            content = content_of(body)
        except (TypeError, ValueError) as error:
            return self._set_aside(self._unreadable(reading, b"", "not_json", str(error)))
        known = self._seen.get((reading.device, event_id))
        if known is not None and known[1] == content:
            self._counters["duplicates"] += 1
            return Appended("duplicate", event_id, known[0])
        if known is not None:
            self._counters["conflicts"] += 1
            payload = event.model_dump_json().encode()
            self._set_aside(self._unreadable(reading, payload, "content_conflict", "Other content"))
            return Appended("conflict", event_id, None)
        self._newest += 1
        recorded = micros(reading.recorded)
        row = Stored(self._newest, reading.device, event_id.bytes, recorded, body)
        self.entries[self._newest] = _Entry(row, lane_of(document_text(event.kind, event.data)))
        self._seen[reading.device, event_id] = (self._newest, content)
        return Appended("new", event_id, self._newest)

    @staticmethod
    def _unreadable(reading: Reading, payload: bytes, code: str, message: str) -> Unreadable:
        size = len(payload)
        return Unreadable(reading.device, "outbox", payload, size, code, message, reading.recorded)

    async def pending(self, limit: int) -> list[CloudEvent]:
        selection = select(_Backlog(self.entries, self._devices), limit, self._last)
        self._last = selection.last
        return [cloud_event_of(self.entries[one].row, self._site) for one in selection.positions]

    async def pending_json(self, limit: int, max_bytes: int) -> list[tuple[int, str]]:
        turn = self._last
        while True:
            events = await self.pending(limit)
            rows = [self.entries[int(event.position)].row for event in events]
            texts = [(row.position, cloud_event_json(row, self._site)) for row in rows]
            fitting = how_many_fit((text for _, text in texts), max_bytes)
            if fitting == len(texts):
                return texts
            limit, self._last = fitting, turn

    async def mark_relayed(self, positions: Sequence[int]) -> None:
        for position in positions:
            entry = self.entries.get(position)
            if entry is not None and entry.stage == "stored":
                entry.stage = "held" if entry.outcome is not None else "relayed"

    async def renew_generation(self, reason: str) -> UUID:
        self._generation = UUID(bytes=self._randomness(16), version=4)
        self._counters["renewals"] += 1
        for entry in self.entries.values():
            if entry.stage in {"relayed", "held"}:
                entry.stage = "stored"
        return self._generation

    async def record_outcomes(self, outcomes: Sequence[Outcome], cursor: int) -> list[Outcome]:
        if outcomes and cursor <= self._cursor:
            return []
        self._cursor = cursor
        return [outcome for outcome in outcomes if self._note(outcome)]

    async def record_refusals(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        return [outcome for outcome in outcomes if self._note(outcome)]

    def _note(self, outcome: Outcome) -> bool:
        position, _ = self._seen.get((outcome.device, outcome.event), (0, ""))
        if not position:
            self._counters["outcomes_of_others"] += 1
            return False
        entry = self.entries.get(position)
        if entry is None:
            return True
        if entry.outcome is not None and is_of_the_first(outcome, entry.outcome):
            self._counters["outcomes_of_others"] += 1
            return False
        news = entry.outcome != outcome
        entry.stage, entry.outcome, entry.noted = outcome.stage, outcome, self._clock()
        return news

    async def downlink_cursor(self) -> int:
        return self._cursor

    async def lag(self) -> Lag:
        stages = Counter(entry.stage for entry in self.entries.values())
        waiting = [one for one, entry in self.entries.items() if entry.stage == "stored"]
        oldest = self.entries[min(waiting)].row.recorded if waiting else None
        return Lag(
            newest_position=self._newest,
            stored=stages["stored"] + stages["relayed"] + stages["held"],
            unrelayed=stages["stored"],
            oldest_unrelayed=None if oldest is None else moment(oldest),
            held=stages["held"],
            quarantined=len(self._quarantine),
            damaged=0,
            bytes_used=sum(len(entry.row.body) for entry in self.entries.values()),
            refused="" if self.refusal is None else str(self.refusal),
        )

    async def counters(self) -> dict[str, int]:
        return dict(self._counters)

    async def prune(self, now: datetime) -> int:
        expired = [
            position
            for position, entry in self.entries.items()
            if entry.stage in FINAL_STAGES
            and entry.noted is not None
            and entry.noted < now - self._retain
        ]
        for position in expired:
            del self.entries[position]
        return len(expired)

    async def rows(self, *, stage: Stage | None, after: int, limit: int) -> list[Row]:
        asked = [
            self._row(entry)
            for position, entry in self.entries.items()
            if position > after and stage in (None, entry.stage)
        ]
        return asked[:limit]

    async def show(self, device: str, event: UUID) -> Row | None:
        entry = self.entries.get(self._seen.get((device, event), (0, ""))[0])
        return None if entry is None else self._row(entry)

    def _row(self, entry: _Entry) -> Row:
        event = cloud_event_of(entry.row, self._site)
        return Row(event, entry.row.device, entry.stage, entry.outcome)

    async def quarantine(self, *, after: int, limit: int) -> list[Quarantined]:
        return [one for one in self._quarantine if one.number > after][:limit]


class _Backlog:
    def __init__(self, entries: dict[int, _Entry], devices: list[str]) -> None:
        self._waiting = [one for one in entries.values() if one.stage == "stored"]
        for entry in self._waiting:
            if entry.row.device not in devices:
                devices.append(entry.row.device)
        self._names = devices

    def devices(self) -> list[int]:
        waiting = {entry.row.device for entry in self._waiting}
        return [number for number, name in enumerate(self._names) if name in waiting]

    def of_device(self, device: int) -> Iterator[tuple[int, str | None]]:
        name = self._names[device]
        return ((one.row.position, one.lane) for one in self._waiting if one.row.device == name)

    def of_lane(self, lane: Lane) -> Iterator[int]:
        return (one.row.position for one in self._waiting if one.lane == lane)
