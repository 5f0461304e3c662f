"""A batch on its way into the tables: all of it or nothing.

Invariants: a position of a generation is one event for ever; the pair (device, id) is one row,
outside strays; what is refused keeps its bytes; what keeps a lane back keeps new arrivals back.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from datetime import timedelta

from cloud_relay.inbox import positions
from cloud_relay.inbox.port import TRACE_NOTE, Arrival, GenerationReused, Verdict
from cloud_relay.inbox.rows import SQL, Prepared, micros, prepared, rung_of
from edge_contract.batch import BatchReply, Refused
from edge_contract.kinds import RAW_KINDS
from edge_contract.outcome import Outcome


class Batch:
    """Stores one arrival within the caller's transaction."""

    def __init__(
        self, connection: sqlite3.Connection, arrival: Arrival, patience: timedelta
    ) -> None:
        self._db = connection
        self._arrival = arrival
        self._received = micros(arrival.received)
        self._patience = micros(arrival.received + patience) - self._received
        self._rows = [prepared(event) for event in arrival.events]
        self._number = 0
        self._new: dict[tuple[bytes, str], tuple[int, Prepared]] = {}
        self._inserts: list[tuple[object, ...]] = []
        self._copies: list[tuple[int, int, int]] = []
        self._resent: set[int] = set()
        self._refused: list[Refused] = []
        self._strays: dict[str, bool] = {}
        self._lanes: dict[str, bool] = {}
        self._counts: Counter[str] = Counter()
        self.wakes: set[str] = set()
        """Subjects to wake after the commit."""

    def store(self) -> BatchReply:
        arrival = self._arrival
        names = {
            "site": arrival.site,
            "target": arrival.target,
            "agent": arrival.agent,
            "generation": arrival.generation.bytes,
        }
        self._db.execute(SQL["note_site"], names)
        self._db.execute(SQL["add_generation"], names)
        (self._generation,) = self._db.execute(SQL["generation"], names).fetchone()
        if self._rows:
            ranges = self._ranges()
            self._check_positions(ranges)
            (self._number,) = self._db.execute(SQL["newest_number"]).fetchone()
            for row in self._rows:
                self._take(row)
            self._db.executemany(SQL["add_event"], self._inserts)
            self._db.executemany(SQL["add_copy"], self._copies)
            self._join_lanes()
            self._keep_ranges(ranges)
        self._db.executemany(
            SQL["count"], [(arrival.site, name, value) for name, value in self._counts.items()]
        )
        first = self._db.execute(SQL["first_range"], (self._generation,)).fetchall()
        return BatchReply(
            generation=arrival.generation,
            stored_through=positions.through(first),
            new=self._counts["new"],
            duplicates=self._counts["duplicates"],
            refused=tuple(self._refused),
        )

    def _ranges(self) -> list[positions.Range]:
        near = {
            "generation": self._generation,
            "first": min(row.position for row in self._rows),
            "last": max(row.position for row in self._rows),
        }
        return [(first, last) for first, last in self._db.execute(SQL["ranges_near"], near)]

    def _keep_ranges(self, before: list[positions.Range]) -> None:
        after = positions.merged(before, (row.position for row in self._rows))
        generation = self._generation
        gone, come = set(before) - set(after), set(after) - set(before)
        self._db.executemany(SQL["drop_range"], [(generation, first) for first, _ in gone])
        self._db.executemany(SQL["add_range"], [(generation, *added) for added in come])

    def _check_positions(self, ranges: list[positions.Range]) -> None:
        seen: dict[int, tuple[bytes, str]] = {}
        for row in self._rows:
            same = seen.setdefault(row.position, row.key) == row.key
            if same and positions.covered(ranges, row.position):
                where = {"generation": self._generation, "position": row.position}
                found = self._db.execute(SQL["at_position"], where).fetchone()
                same = found is not None and (found["event"], found["device"]) == row.key
                self._resent.add(row.position)
            if not same:
                raise GenerationReused(
                    f"Position {row.position} of generation {self._arrival.generation} of agent "
                    f"{self._arrival.agent} belongs to another event: the outbox was rolled back "
                    "or copied. Renew its generation and send again what is not final."
                )

    def _take(self, row: Prepared) -> None:
        stray = self._is_stray(row.key[1])
        known = self._db.execute(SQL["known"], row.key).fetchone()
        if known is not None and stray and known["digest"] != row.digest:
            known = None
        if known is None and row.key in self._new:
            number, first = self._new[row.key]
            if first.digest == row.digest:
                self._again(row, number)
            else:
                self._refuse(row, self._arrival.site)
            return
        if known is None and stray:
            key = (*row.key, self._arrival.target)
            known = self._db.execute(SQL["known_stray"], key).fetchone()
        if known is None:
            self._add(row, stray)
        elif known["digest"] != row.digest:
            self._refuse(row, known["site"])
        elif row.position in self._resent:
            self._counts["duplicates"] += 1
        else:
            self._again(row, known["number"])
            if known["status"] not in {"waiting", "short"}:
                # Another outbox asks about what is settled: it has not heard of it.
                again = {"site": self._arrival.site, "number": known["number"]}
                self._db.execute(SQL["tell_again"], again)
                self.wakes.add(f"downlink:{self._arrival.site}")

    def _is_stray(self, device: str) -> bool:
        if device not in self._strays:
            home = self._db.execute(SQL["home_of"], (device,)).fetchone()
            if home is None:
                self._db.execute(SQL["note_device"], (device, self._arrival.target))
            self._strays[device] = home is not None and home["target"] != self._arrival.target
        return self._strays[device]

    def _again(self, row: Prepared, number: int) -> None:
        self._counts["duplicates"] += 1
        self._copies.append((self._generation, row.position, number))

    def _refuse(self, row: Prepared, first_site: str) -> None:
        site, device, event = self._arrival.site, row.key[1], row.event.id
        message = (
            f"Event {event} of device {device} arrived before with other content, and the first "
            "one counts. Find the device or program that uses one id twice."
        )
        self._refused.append(
            Refused(position=row.position, id=event, code="content_conflict", message=message)
        )
        kept = self._db.execute(
            SQL["add_conflict"],
            (self._generation, row.position, *row.key, self._received, row.text),
        )
        if kept.rowcount == 0:
            self._counts["duplicates"] += 1
            return
        self._counts["conflicts"] += 1
        self._alarm(f"content_conflict:{device}:{event}", message)
        if first_site != site:
            # At the first one's own site this would be read as the fate of the first.
            verdict = Verdict(0, "rejected", "content_conflict", message)
            self._tell(rung_of(device, row.key[0], self._arrival.received, verdict), None)

    def _alarm(self, key: str, message: str) -> None:
        self._db.execute(SQL["raise_alarm"], (key, self._arrival.site, message, self._received))

    def _tell(self, outcome: Outcome, number: int | None, site: str | None = None) -> None:
        site = site or self._arrival.site
        self._db.execute(
            SQL["add_outcome"],
            (number, site, 0, self._received, outcome.model_dump_json()),
        )
        self.wakes.add(f"downlink:{site}")

    def _add(self, row: Prepared, stray: bool) -> None:
        self._number += 1
        number, status, code, message = self._number, "waiting", "", ""
        lane, awaits, next_attempt = row.lane, None, None
        if stray:
            status, code, lane = "held", "foreign_device", None
            message = self._foreign(row, number)
        elif row.kind in RAW_KINDS:
            status = "trace"
            verdict = Verdict(number, "trace", notes=(TRACE_NOTE,))
            self._tell(rung_of(row.key[1], row.key[0], self._arrival.received, verdict), number)
        elif row.takes_back is not None:
            lane, found = self._lane_of(row.takes_back, row.key[1])
            if not found:
                status, code, awaits = "short", "unknown_event", row.takes_back
                next_attempt = self._received + self._patience
        self._new[row.key] = (number, row)
        self._counts["new"] += 1
        if status in {"trace", "held"}:
            self._counts[status] += 1
        self._inserts.append(
            (
                number,
                *row.key,
                row.digest,
                self._arrival.site,
                self._arrival.target,
                row.kind,
                lane,
                number,
                row.moment,
                self._generation,
                row.position,
                row.occurred,
                self._received,
                status,
                self._is_held(lane),
                stray,
                awaits,
                next_attempt,
                code,
                message,
                row.text,
            )
        )
        row.lane = lane
        self.wakes.add(f"target:{self._arrival.target}")

    def _foreign(self, row: Prepared, number: int) -> str:
        device = row.key[1]
        message = (
            f"Device {device} belongs to another Odoo company than site {self._arrival.site}. "
            "Enrol it centrally for this one and replay, or discard."
        )
        self._counts["foreign"] += 1
        self._alarm(f"foreign_device:{device}:{self._arrival.site}", message)
        verdict = Verdict(number, "held", "foreign_device", message)
        self._tell(rung_of(device, row.key[0], self._arrival.received, verdict), number)
        return message

    def _lane_of(self, event: bytes, device: str) -> tuple[str | None, bool]:
        if (event, device) in self._new:
            return self._new[event, device][1].lane, True
        found = self._db.execute(SQL["lane_of"], (event, device)).fetchone()
        return (None, False) if found is None else (found["lane"], True)

    def _is_held(self, lane: str | None) -> bool:
        if lane is None:
            return False
        if lane not in self._lanes:
            key = (self._arrival.target, lane)
            found = self._db.execute(SQL["lane_is_held"], key).fetchone()
            self._lanes[lane] = found is not None
        return self._lanes[lane]

    def _join_lanes(self) -> None:
        """Take-backs that came before the event they take back go behind it, in its lane."""
        if self._db.execute(SQL["any_awaiting"]).fetchone() is None:
            return
        for (event, device), (number, row) in self._new.items():
            if self._strays[device]:
                continue
            for waiting in self._db.execute(SQL["awaiting"], (event, device)).fetchall():
                self._db.execute(
                    SQL["join_lane"],
                    {
                        "number": waiting["number"],
                        "lane": row.lane,
                        "place": number,
                        "blocked": self._is_held(row.lane),
                    },
                )
                if waiting["status"] == "held":
                    message = "The event it takes back has arrived."
                    verdict = Verdict(waiting["number"], "waiting", "", message)
                    rung = rung_of(device, waiting["event"], self._arrival.received, verdict)
                    self._tell(rung, waiting["number"], waiting["site"])
