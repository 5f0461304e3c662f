"""What became of entries, by Odoo's answer or by a person's decision.

Invariants: every change of an entry appends a rung to its ladder in the same transaction; a lane
runs when none of its entries is held; what a person did is on the record.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cloud_relay.inbox.port import Status, Verdict
from cloud_relay.inbox.rows import SQL, lane_in, micros, rung_of
from edge_contract.errors import Rejected

#: Statuses that the site is told of when an entry is settled.
_TOLD = frozenset({"applied", "held", "rejected"})


@dataclass(slots=True)
class Changes:
    """Changes within the caller's transaction, and whom to wake after its commit."""

    connection: sqlite3.Connection
    now: datetime
    wakes: set[str] = field(default_factory=set)

    def settle(self, verdicts: Sequence[Verdict]) -> None:
        for verdict in verdicts:
            row = self.connection.execute(SQL["numbered"], (verdict.number,)).fetchone()
            if row is None or row["status"] not in {"waiting", "short"}:
                continue
            at = micros(self.now)
            deferred = None if verdict.next_attempt is None else micros(verdict.next_attempt)
            self.connection.execute(
                SQL["settle"],
                {
                    "number": verdict.number,
                    "status": verdict.status,
                    "code": verdict.code,
                    "message": verdict.message,
                    "record": verdict.record and verdict.record.model_dump_json(),
                    "applied": at if verdict.status == "applied" else None,
                    "next_attempt": deferred if verdict.status in {"waiting", "short"} else None,
                    "attempted": verdict.attempted,
                },
            )
            if verdict.status == "held":
                self.connection.execute(SQL["block_lane"], (row["target"], row["lane"]))
            if verdict.status in _TOLD:
                self._count(row["site"], verdict.status)
                self._rung(row, verdict)

    def replay(self, numbers: Sequence[int], by: str) -> int:
        rows = [self._held(number) for number in dict.fromkeys(numbers)]
        for row in rows:
            if row["stray"]:
                row = self._taken_home(row)
            self.connection.execute(SQL["try_again"], (row["number"],))
            self._rung(row, Verdict(row["number"], "waiting", "replayed", f"Replayed by {by}."))
            self._count(row["site"], "replayed")
            self._record(by, "replay", f"number {row['number']}", row["code"])
        for target, lane in {(row["target"], self._lane(row)) for row in rows}:
            self._free(target, lane)
        return len(rows)

    def discard(self, number: int, by: str, reason: str) -> None:
        self._put(number, "discarded", by, reason, "discard")

    def set_aside(self, number: int, by: str, reason: str) -> None:
        if self._held(number)["status"] == "aside":
            raise Rejected("not_held", f"Number {number} is set aside already.")
        self._put(number, "aside", by, reason, "set_aside")

    def requeue(self, target: str, since: datetime, by: str) -> int:
        key = (target, micros(since))
        rows = self.connection.execute(SQL["applied_since"], key).fetchall()
        for row in rows:
            self._rung(row, Verdict(row["number"], "waiting", "requeued", "Odoo was restored."))
        per_site: dict[str, int] = {}
        for row in rows:
            per_site[row["site"]] = per_site.get(row["site"], 0) + 1
        for site, count in per_site.items():
            self._count(site, "requeued", count)
            self._count(site, "applied", -count)
        self.connection.execute(SQL["requeue"], key)
        self._record(by, "requeue", target, f"applied since {since.isoformat()}: {len(rows)}")
        self.wakes.add(f"target:{target}")
        return len(rows)

    def enrol(self, device: str, target: str, by: str) -> None:
        self.connection.execute(SQL["note_device"], (device, target))
        self._record(by, "enrol", device, f"target {target}")

    def clear_alarm(self, key: str, by: str) -> None:
        if self.connection.execute(SQL["clear_alarm"], (micros(self.now), key)).rowcount == 0:
            raise Rejected("unknown_alarm", f"No alarm {key} stands. List the alarms for its key.")
        self._record(by, "clear_alarm", key, "")

    def keep_watermark(self, target: str, watermark: Mapping[str, str]) -> None:
        self.connection.execute(SQL["drop_watermark"], (target,))
        self.connection.executemany(
            SQL["add_watermark"], [(target, name, value) for name, value in watermark.items()]
        )

    def _held(self, number: int) -> sqlite3.Row:
        row: sqlite3.Row | None = self.connection.execute(SQL["numbered"], (number,)).fetchone()
        if row is None:
            raise Rejected("unknown_entry", f"No event has number {number}. List the held ones.")
        if row["status"] not in {"held", "aside"}:
            raise Rejected(
                "not_held",
                f"Number {number} is {row['status']}: only held events are for a person to decide.",
            )
        return row

    def _taken_home(self, row: sqlite3.Row) -> sqlite3.Row:
        home = self.connection.execute(SQL["home_of"], (row["device"],)).fetchone()
        if home["target"] != row["target"]:
            raise Rejected(
                "foreign_device",
                f"Device {row['device']} belongs to {home['target']}. Enrol it for "
                f"{row['target']}, then replay.",
            )
        key = (row["event"], row["device"])
        if self.connection.execute(SQL["is_known"], key).fetchone() is not None:
            raise Rejected(
                "content_conflict",
                f"The event of number {row['number']} arrived at its own site too. Discard it.",
            )
        self.connection.execute(SQL["take_home"], (lane_in(row), row["number"]))
        return row

    def _lane(self, row: sqlite3.Row) -> str | None:
        found = self.connection.execute(SQL["numbered"], (row["number"],)).fetchone()
        lane: str | None = found["lane"]
        return lane

    def _put(self, number: int, status: Status, by: str, reason: str, action: str) -> None:
        row = self._held(number)
        code = row["code"]
        message = f"{action.replace('_', ' ').capitalize()} by {by}: {reason}"
        self.connection.execute(
            SQL["give_up"],
            {"number": number, "status": status, "code": code, "message": message},
        )
        self._count(row["site"], status)
        self._rung(row, Verdict(number, status, code, message))
        self._record(by, action, f"number {number}", reason)
        self._free(row["target"], row["lane"])

    def _free(self, target: str, lane: str | None) -> None:
        """Let a lane go on if nothing in it is held any more, or keep it back if something is."""
        held = self.connection.execute(SQL["lane_is_held"], (target, lane)).fetchone()
        self.connection.execute(SQL["free_lane" if held is None else "block_lane"], (target, lane))
        self.wakes.add(f"target:{target}")

    def _rung(self, row: sqlite3.Row, verdict: Verdict) -> None:
        outcome = rung_of(row["device"], row["event"], self.now, verdict).model_dump_json()
        number, at = row["number"], micros(self.now)
        self.connection.execute(SQL["add_outcome"], (number, row["site"], 0, at, outcome))
        self.wakes.add(f"downlink:{row['site']}")
        for (site,) in self.connection.execute(SQL["other_sites"], (number,)).fetchall():
            if site != row["site"]:
                self.connection.execute(SQL["add_outcome"], (number, site, 1, at, outcome))
                self.wakes.add(f"downlink:{site}")

    def _count(self, site: str, name: str, by: int = 1) -> None:
        self.connection.execute(SQL["count"], (site, name, by))

    def _record(self, by: str, action: str, subject: str, reason: str) -> None:
        self.connection.execute(SQL["add_audit"], (micros(self.now), by, action, subject, reason))
