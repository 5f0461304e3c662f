"""The inbox in memory: for tests, and as a plain statement of what an inbox does.

It passes the conformance suite of the stores, and shares with them only what has no I/O.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from cloud_relay.inbox import hosts, positions
from cloud_relay.inbox.lanes import Candidate, choose, lane_moment
from cloud_relay.inbox.port import (
    TRACE_NOTE,
    Alarm,
    Arrival,
    Audited,
    Entry,
    GenerationReused,
    Heard,
    Progress,
    Retention,
    SiteLag,
    Status,
    Verdict,
    Watch,
)
from cloud_relay.inbox.rows import rung_of
from cloud_relay.inbox.views import GONE, arrived_through
from cloud_relay.inbox.watch import Watches
from edge_contract.batch import BatchReply, DownlinkItem, Heartbeat, Refused
from edge_contract.errors import Rejected
from edge_contract.event import CloudEvent
from edge_contract.kinds import RAW_KINDS, EventReversed
from edge_contract.outcome import Outcome, Stage

Key = tuple[str, UUID]
T = TypeVar("T")


@dataclass(slots=True)
class _Kept:
    """An entry with what the port does not show."""

    entry: Entry
    place: tuple[int, int]
    sites: set[str]
    stray: bool = False
    awaits: Key | None = None
    deferred: datetime | None = None
    rungs: list[Outcome] = field(default_factory=list)

    @property
    def key(self) -> Key:
        return self.entry.event.device, self.entry.event.id

    def put(self, status: Status, code: str = "", message: str = "") -> None:
        self.entry = replace(self.entry, status=status, code=code, message=message)


class MemoryInbox:
    """See :class:`cloud_relay.inbox.port.Inbox`."""

    def __init__(
        self, *, retention: Retention | None = None, patience: timedelta = timedelta(minutes=15)
    ) -> None:
        self._retention = retention or Retention()
        self._patience = patience
        self._kept: dict[int, _Kept] = {}
        self._number = 0
        self._before = 0
        self._homes: dict[str, str] = {}
        self._targets: dict[str, str] = {}
        self._ranges: dict[tuple[str, str, UUID], list[positions.Range]] = defaultdict(list)
        self._at: dict[tuple[str, str, UUID, int], Key] = {}
        self._conflicts: dict[tuple[str, str, UUID, int], datetime] = {}
        self._downlink: list[tuple[str, DownlinkItem, int | None]] = []
        self._boots: dict[tuple[str, str], UUID] = {}
        self._superseded: dict[tuple[str, str, UUID], tuple[datetime, datetime]] = {}
        self._agents: dict[tuple[str, str], tuple[Heartbeat, datetime]] = {}
        self._alarms: dict[str, Alarm] = {}
        self._audit: list[Audited] = []
        self._counters: dict[str, Counter[str]] = defaultdict(Counter)
        self._watermarks: dict[str, dict[str, str]] = {}
        self._watches = Watches()

    async def close(self) -> None:
        pass

    async def store(self, arrival: Arrival) -> BatchReply:
        source = (arrival.site, arrival.agent, arrival.generation)
        self._before = self._number
        self._check_positions(source, arrival.events)
        self._targets[arrival.site] = arrival.target
        count: Counter[str] = Counter()
        refused = [
            refusal
            for event in arrival.events
            if (refusal := self._take(arrival, event, count)) is not None
        ]
        ranges = positions.merged(
            self._ranges[source], (int(event.position) for event in arrival.events)
        )
        self._ranges[source] = ranges
        self._counters[arrival.site].update(count)
        self._watches.wake([f"target:{arrival.target}"])
        return BatchReply(
            generation=arrival.generation,
            stored_through=positions.through(ranges),
            new=count["new"],
            duplicates=count["duplicates"],
            refused=tuple(refused),
        )

    def _check_positions(self, source: tuple[str, str, UUID], events: Sequence[CloudEvent]) -> None:
        seen: dict[int, Key] = {}
        for event in events:
            position, key = int(event.position), (event.device, event.id)
            covered = positions.covered(self._ranges.get(source, ()), position)
            if seen.setdefault(position, key) != key or (
                covered and self._at.get((*source, position)) != key
            ):
                raise GenerationReused(f"Position {position} belongs to another event.")

    def _take(self, arrival: Arrival, event: CloudEvent, count: Counter[str]) -> Refused | None:
        key = (event.device, event.id)
        where = (arrival.site, arrival.agent, arrival.generation, int(event.position))
        again = where in self._at
        self._at[where] = key
        home = self._homes.setdefault(event.device, arrival.target)
        stray = home != arrival.target
        known = self._find(key)
        if stray and (known is None or known.entry.event.digest() != event.digest()):
            known = next(
                (
                    kept
                    for kept in self._kept.values()
                    if kept.stray and kept.key == key and kept.entry.target == arrival.target
                ),
                None,
            )
        if known is None:
            self._add(arrival, event, stray, count)
        elif known.entry.event.digest() != event.digest():
            return self._refuse(arrival, event, known, count, where)
        else:
            count["duplicates"] += 1
            known.sites.add(arrival.site)
            old = not again and known.entry.number <= self._before
            if old and known.entry.status not in {"waiting", "short"}:
                self._tell(arrival.site, known.rungs[-1], known.entry.number)
        return None

    def _refuse(
        self,
        arrival: Arrival,
        event: CloudEvent,
        known: _Kept,
        count: Counter[str],
        where: tuple[str, str, UUID, int],
    ) -> Refused:
        message = f"Event {event.id} of device {event.device} arrived before with other content."
        if where in self._conflicts:
            count["duplicates"] += 1
        else:
            self._conflicts[where] = arrival.received
            count["conflicts"] += 1
            self._alarm(
                f"content_conflict:{event.device}:{event.id}",
                arrival.site,
                message,
                arrival.received,
            )
            if known.entry.site != arrival.site:
                verdict = Verdict(0, "rejected", "content_conflict", message)
                self._tell(
                    arrival.site, rung_of(event.device, event.id.bytes, arrival.received, verdict)
                )
        return Refused(
            position=int(event.position), id=event.id, code="content_conflict", message=message
        )

    def _add(self, arrival: Arrival, event: CloudEvent, stray: bool, count: Counter[str]) -> None:
        self._number += 1
        data = event.parsed()
        kept = _Kept(
            Entry(
                number=self._number,
                site=arrival.site,
                target=arrival.target,
                lane=None if stray else event.document,
                event=event,
                status="trace" if event.kind in RAW_KINDS else "waiting",
                received=arrival.received,
                attempts=0,
                next_attempt=arrival.received,
            ),
            (self._number, 0),
            {arrival.site},
            stray,
        )
        self._kept[self._number] = kept
        count["new"] += 1
        if kept.entry.status == "trace" and not stray:
            self._rung(kept, Verdict(self._number, "trace", notes=(TRACE_NOTE,)), arrival.received)
        if stray:
            message = f"Device {event.device} belongs to another Odoo company."
            kept.put("held", "foreign_device", message)
            count["foreign"] += 1
            self._alarm(
                f"foreign_device:{event.device}:{arrival.site}",
                arrival.site,
                message,
                arrival.received,
            )
            verdict = Verdict(self._number, "held", "foreign_device", message)
            self._rung(kept, verdict, arrival.received)
        elif isinstance(data, EventReversed):
            key = (event.device, data.event)
            taken_back = self._find(key)
            if taken_back is None:
                kept.put("short", "unknown_event")
                kept.awaits = key
                kept.deferred = arrival.received + self._patience
                kept.entry = replace(kept.entry, next_attempt=kept.deferred)
            else:
                kept.entry = replace(kept.entry, lane=taken_back.entry.lane)
        if kept.entry.status in {"trace", "held"}:
            count[kept.entry.status] += 1
        if not stray:
            self._join(kept, arrival.received)

    def _join(self, arrived: _Kept, now: datetime) -> None:
        for kept in self._kept.values():
            if kept.awaits != arrived.key or kept.entry.status not in {"short", "held"}:
                continue
            was = kept.entry.status
            kept.put("waiting")
            kept.entry = replace(kept.entry, lane=arrived.entry.lane)
            kept.place, kept.awaits, kept.deferred = (arrived.entry.number, 1), None, None
            if was == "held":
                verdict = Verdict(kept.entry.number, "waiting", "", "The event it takes back came.")
                self._rung(kept, verdict, now)

    async def heartbeat(self, site: str, target: str, heartbeat: Heartbeat, now: datetime) -> Heard:
        agent = (site, heartbeat.agent)
        self._targets[site] = target
        current, stop = self._boots.get(agent), None
        earlier = self._superseded.get((*agent, heartbeat.boot))
        if current not in {None, heartbeat.boot} and earlier is not None:
            stop = hosts.stop_message(*agent)
            if hosts.lives(heartbeat.time, now, *earlier):
                self._alarm(f"two_hosts:{site}:{heartbeat.agent}", site, stop, now)
        else:
            if current is not None and current != heartbeat.boot:
                self._superseded[(*agent, current)] = (heartbeat.time, now)
            self._boots[agent] = heartbeat.boot
            self._agents[agent] = (heartbeat, now)
        ranges = self._ranges.get((*agent, heartbeat.generation), [])
        return Heard(positions.through(ranges), positions.highest(ranges), stop)

    async def ready(self, target: str, now: datetime, limit: int) -> list[Entry]:
        runnable = self._runnable(target)
        due = [kept.deferred is None or kept.deferred <= now for kept in runnable]
        short = [kept.entry.status == "short" and kept.awaits is None for kept in runnable]
        together = any(each and lacks for each, lacks in zip(due, short, strict=True))
        candidates = [
            Candidate(
                kept.entry.lane,
                kept.entry.event.device,
                lane_moment(kept.entry.event),
                each or (together and lacks),
                kept.entry,
            )
            for kept, each, lacks in zip(runnable, due, short, strict=True)
        ]
        return choose(
            candidates, limit, lambda lane: [each for each in candidates if each.lane == lane]
        )

    def _runnable(self, target: str) -> list[_Kept]:
        return sorted(
            (
                kept
                for kept in self._kept.values()
                if kept.entry.target == target
                and kept.entry.status in {"waiting", "short"}
                and not self._blocked(kept.entry)
            ),
            key=lambda kept: kept.place,
        )

    def _blocked(self, entry: Entry) -> bool:
        return entry.lane is not None and any(
            other.entry.status == "held"
            and (other.entry.target, other.entry.lane) == (entry.target, entry.lane)
            for other in self._kept.values()
        )

    async def settle(
        self,
        verdicts: Sequence[Verdict],
        now: datetime,
        watermark: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        for verdict in verdicts:
            kept = self._kept.get(verdict.number)
            if kept is None or kept.entry.status not in {"waiting", "short"}:
                continue
            kept.put(verdict.status, verdict.code, verdict.message)
            waits = verdict.status in {"waiting", "short"}
            kept.deferred = verdict.next_attempt if waits else None
            if not waits and verdict.code != "unknown_event":
                kept.awaits = None
            kept.entry = replace(
                kept.entry,
                record=verdict.record,
                applied=now if verdict.status == "applied" else None,
                attempts=kept.entry.attempts + verdict.attempted,
                next_attempt=kept.deferred or kept.entry.received,
            )
            if verdict.status in {"applied", "held", "rejected"}:
                self._counters[kept.entry.site][verdict.status] += 1
                self._rung(kept, verdict, now)
        for target, values in (watermark or {}).items():
            self._watermarks[target] = dict(values)

    async def progress(self, target: str, now: datetime) -> Progress:
        runnable = self._runnable(target)
        return Progress(
            arrived_through=_least(
                arrived_through(heartbeat)
                for (site, _), (heartbeat, heard) in self._agents.items()
                if self._targets.get(site) == target and heard > now - GONE
            ),
            oldest_open=_least(
                kept.entry.event.occurred for kept in runnable if kept.entry.status == "waiting"
            ),
            next_due=_least(
                kept.deferred
                for kept in runnable
                if kept.deferred is not None and kept.deferred > now
            ),
        )

    async def known_cursor(self, cursor: int) -> int:
        return min(cursor, len(self._downlink))

    async def downlink(self, site: str, after: int, limit: int) -> list[DownlinkItem]:
        if after > len(self._downlink):
            after = 0
        items = [item for to, item, _ in self._downlink if to == site and item.cursor > after]
        return items[:limit]

    def watch_downlink(self, site: str) -> Watch:
        return self._watches.open(f"downlink:{site}")

    def watch_target(self, target: str) -> Watch:
        return self._watches.open(f"target:{target}")

    async def held(self, site: str | None = None) -> list[Entry]:
        return [
            kept.entry
            for kept in self._kept.values()
            if kept.entry.status in {"held", "aside"} and site in {None, kept.entry.site}
        ]

    async def entry(self, device: str, event: UUID) -> Entry | None:
        kept = self._find((device, event)) or self._find((device, event), stray=True)
        return None if kept is None else kept.entry

    async def numbered(self, number: int) -> Entry | None:
        kept = self._kept.get(number)
        return None if kept is None else kept.entry

    async def behind(self, number: int) -> int:
        kept = self._kept.get(number)
        if kept is None or kept.entry.status != "held" or kept.entry.lane is None:
            return 0
        return sum(
            (other.entry.target, other.entry.lane) == (kept.entry.target, kept.entry.lane)
            and other.entry.status in {"waiting", "short"}
            for other in self._kept.values()
        )

    async def ladder(
        self, device: str, event: UUID
    ) -> list[tuple[Stage, datetime, Outcome | None]]:
        kept = self._find((device, event)) or self._find((device, event), stray=True)
        if kept is None:
            return []
        return [
            ("stored", kept.entry.event.recordedtime, None),
            ("relayed", kept.entry.received, None),
            *((outcome.stage, outcome.at, outcome) for outcome in kept.rungs),
        ]

    async def replay(self, numbers: Sequence[int], by: str, now: datetime) -> int:
        chosen = [self._held(number) for number in dict.fromkeys(numbers)]
        for kept in chosen:
            if kept.stray and self._homes[kept.key[0]] != kept.entry.target:
                raise Rejected("foreign_device", f"Device {kept.key[0]} is not enrolled here.")
            if kept.stray and self._find(kept.key) is not None:
                raise Rejected("content_conflict", "The event arrived at its own site too.")
        for kept in chosen:
            code = kept.entry.code
            if kept.stray:
                kept.stray = False
                kept.entry = replace(kept.entry, lane=kept.entry.event.document)
            kept.put("waiting")
            kept.entry = replace(kept.entry, attempts=0, next_attempt=kept.entry.received)
            kept.deferred = None
            verdict = Verdict(kept.entry.number, "waiting", "replayed", f"Replayed by {by}.")
            self._rung(kept, verdict, now)
            self._counters[kept.entry.site]["replayed"] += 1
            self._record(now, by, "replay", f"number {kept.entry.number}", code)
        return len(chosen)

    async def discard(self, number: int, by: str, reason: str, now: datetime) -> None:
        self._put_away(number, "discarded", by, reason, now, "discard")

    async def set_aside(self, number: int, by: str, reason: str, now: datetime) -> None:
        if self._held(number).entry.status == "aside":
            raise Rejected("not_held", f"Number {number} is set aside already.")
        self._put_away(number, "aside", by, reason, now, "set_aside")

    def _put_away(
        self, number: int, status: Status, by: str, reason: str, now: datetime, action: str
    ) -> None:
        kept = self._held(number)
        message = f"{action.replace('_', ' ').capitalize()} by {by}: {reason}"
        kept.put(status, kept.entry.code, message)
        kept.awaits = None
        self._counters[kept.entry.site][status] += 1
        self._rung(kept, Verdict(number, status, kept.entry.code, message), now)
        self._record(now, by, action, f"number {number}", reason)

    async def requeue_since(self, target: str, since: datetime, by: str, now: datetime) -> int:
        found = [
            kept
            for kept in self._kept.values()
            if kept.entry.target == target
            and kept.entry.applied is not None
            and kept.entry.applied >= since
        ]
        for kept in found:
            kept.put("waiting")
            kept.entry = replace(kept.entry, applied=None, record=None, attempts=0)
            verdict = Verdict(kept.entry.number, "waiting", "requeued", "Odoo was restored.")
            self._rung(kept, verdict, now)
            self._counters[kept.entry.site].update({"requeued": 1, "applied": -1})
        self._record(now, by, "requeue", target, f"{since.isoformat()}: {len(found)}")
        self._watches.wake([f"target:{target}"])
        return len(found)

    async def enrol(self, device: str, target: str, by: str, now: datetime) -> None:
        self._homes[device] = target
        self._record(now, by, "enrol", device, f"target {target}")

    async def sites(self) -> list[SiteLag]:
        return [self._site(site) for site in sorted(self._targets)]

    def _site(self, site: str) -> SiteLag:
        entries = [kept.entry for kept in self._kept.values() if kept.entry.site == site]
        waiting = [entry for entry in entries if entry.status in {"waiting", "short"}]
        held = [entry for entry in entries if entry.status in {"held", "aside"}]
        heard = [said for (at, _), said in sorted(self._agents.items()) if at == site]
        counters = self._counters[site]
        return SiteLag(
            site=site,
            agents=tuple(heartbeat for heartbeat, _ in heard),
            last_heard=max((now for _, now in heard), default=None),
            waiting=len(waiting),
            behind_held=sum(self._blocked(entry) for entry in waiting),
            held=len(held),
            applied=counters["applied"],
            oldest_waiting=_least(entry.event.occurred for entry in waiting + held),
            counters={name: value for name, value in counters.items() if value},
        )

    async def raise_alarm(self, alarm: Alarm) -> None:
        self._alarms.setdefault(alarm.key, alarm)

    async def alarms(self) -> list[Alarm]:
        return list(self._alarms.values())

    async def clear_alarm(self, key: str, by: str, now: datetime) -> None:
        if self._alarms.pop(key, None) is None:
            raise Rejected("unknown_alarm", f"No alarm {key} stands.")
        self._record(now, by, "clear_alarm", key, "")

    async def audit(self, limit: int) -> list[Audited]:
        return self._audit[::-1][:limit]

    async def watermark(self, target: str) -> dict[str, str]:
        return dict(self._watermarks.get(target, {}))

    async def set_watermark(self, target: str, watermark: Mapping[str, str]) -> None:
        self._watermarks[target] = dict(watermark)

    async def prune(self, now: datetime) -> int:
        gone = []
        for number, kept in self._kept.items():
            trace = kept.entry.status == "trace"
            age = self._retention.trace if trace else self._retention.events
            final = kept.entry.status in {"trace", "applied", "rejected", "discarded"}
            if final and kept.entry.received < now - age:
                gone.append(number)
        gone = gone[: self._retention.rows_per_prune]
        keys = {self._kept.pop(number).key for number in gone}
        before = now - self._retention.events
        old = {where for where, received in self._conflicts.items() if received < before}
        for where in old:
            del self._conflicts[where]
        self._at = {
            where: key
            for where, key in self._at.items()
            if where not in old and (key not in keys or where in self._conflicts)
        }
        self._downlink = [
            (
                "" if number in gone or (number is None and item.outcome.at < before) else site,
                item,
                number,
            )
            for site, item, number in self._downlink
        ]
        return len(gone)

    def _find(self, key: Key, stray: bool = False) -> _Kept | None:
        return next(
            (kept for kept in self._kept.values() if kept.key == key and kept.stray == stray), None
        )

    def _held(self, number: int) -> _Kept:
        kept = self._kept.get(number)
        if kept is None:
            raise Rejected("unknown_entry", f"No event has number {number}.")
        if kept.entry.status not in {"held", "aside"}:
            raise Rejected("not_held", f"Number {number} is {kept.entry.status}.")
        return kept

    def _rung(self, kept: _Kept, verdict: Verdict, now: datetime) -> None:
        outcome = rung_of(kept.key[0], kept.key[1].bytes, now, verdict)
        kept.rungs.append(outcome)
        for site in sorted(kept.sites):
            self._tell(site, outcome, kept.entry.number)
        self._watches.wake([f"target:{kept.entry.target}"])

    def _tell(self, site: str, outcome: Outcome, number: int | None = None) -> None:
        item = DownlinkItem(cursor=len(self._downlink) + 1, outcome=outcome)
        self._downlink.append((site, item, number))
        self._watches.wake([f"downlink:{site}"])

    def _alarm(self, key: str, site: str, message: str, now: datetime) -> None:
        self._alarms.setdefault(key, Alarm(key, site, message, now))

    def _record(self, at: datetime, by: str, action: str, subject: str, reason: str) -> None:
        self._audit.append(Audited(at, by, action, subject, reason))


def _least(values: Iterable[datetime]) -> datetime | None:
    return min(values, default=None)
