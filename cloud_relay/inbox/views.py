"""Questions to the tables that change nothing."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from datetime import datetime, timedelta

from cloud_relay.inbox.lanes import Candidate, choose
from cloud_relay.inbox.port import Entry, Progress, SiteLag
from cloud_relay.inbox.rows import SQL, entry_of, instant, micros
from edge_contract.batch import DownlinkItem, Heartbeat
from edge_contract.outcome import Outcome, Stage

#: An agent silent for longer is no reason to wait for what it may still bring.
GONE = timedelta(days=7)


def ready(connection: sqlite3.Connection, target: str, now: datetime, limit: int) -> list[Entry]:
    at = micros(now)
    together = connection.execute(SQL["any_short_due"], (target, at)).fetchone() is not None

    def candidate(row: sqlite3.Row) -> Candidate[sqlite3.Row]:
        return Candidate(
            row["lane"],
            row["device"],
            instant(row["moment"]),
            row["next_attempt"] is None
            or row["next_attempt"] <= at
            or (together and row["status"] == "short" and row["awaits"] is None),
            row,
        )

    def whole_lane(lane: str) -> list[Candidate[sqlite3.Row]]:
        return [candidate(row) for row in connection.execute(SQL["ready_in_lane"], (target, lane))]

    rows = connection.execute(SQL["ready"], (target,))
    chosen = choose(map(candidate, rows), limit, whole_lane)
    rows.close()
    return [entry_of(row) for row in chosen]


def progress(connection: sqlite3.Connection, target: str, now: datetime) -> Progress:
    (due,) = connection.execute(SQL["next_due"], (target, micros(now))).fetchone()
    (oldest,) = connection.execute(SQL["oldest_open"], (target,)).fetchone()
    arrived = [
        arrived_through(Heartbeat.model_validate_json(row["heartbeat"]))
        for row in connection.execute(SQL["agents_of_target"], (target,))
        if instant(row["heard"]) > now - GONE
    ]
    return Progress(
        arrived_through=min(arrived, default=None),
        oldest_open=None if oldest is None else instant(oldest),
        next_due=None if due is None else instant(due),
    )


def arrived_through(heartbeat: Heartbeat) -> datetime:
    """Up to when everything that the agent recorded had left it, by its last words."""
    if heartbeat.unrelayed and heartbeat.oldest_unrelayed is not None:
        return min(heartbeat.oldest_unrelayed, heartbeat.time)
    return heartbeat.time


def known_cursor(connection: sqlite3.Connection, cursor: int) -> int:
    (newest,) = connection.execute(SQL["newest_cursor"]).fetchone()
    gap = connection.execute(SQL["gap_at"], (cursor,)).fetchone()
    return min(cursor, int(newest if gap is None else gap["before"]))


def downlink(
    connection: sqlite3.Connection, site: str, after: int, limit: int
) -> list[DownlinkItem]:
    (newest,) = connection.execute(SQL["newest_cursor"]).fetchone()
    if after > newest:
        after = 0
    return [
        DownlinkItem(cursor=row["cursor"], outcome=Outcome.model_validate_json(row["text"]))
        for row in connection.execute(SQL["downlink"], (site, after, limit))
    ]


def entry(connection: sqlite3.Connection, device: str, event: bytes) -> Entry | None:
    for name in ("entry", "stray_entry"):
        row = connection.execute(SQL[name], (event, device)).fetchone()
        if row is not None:
            return entry_of(row)
    return None


def ladder(
    connection: sqlite3.Connection, device: str, event: bytes
) -> list[tuple[Stage, datetime, Outcome | None]]:
    found = entry(connection, device, event)
    if found is None:
        return []
    rungs: list[tuple[Stage, datetime, Outcome | None]] = [
        ("stored", found.event.recordedtime, None),
        ("relayed", found.received, None),
    ]
    for (text,) in connection.execute(SQL["rungs"], (found.number,)):
        outcome = Outcome.model_validate_json(text)
        rungs.append((outcome.stage, outcome.at, outcome))
    return rungs


def sites(connection: sqlite3.Connection) -> list[SiteLag]:
    counters: dict[str, dict[str, int]] = defaultdict(dict)
    for row in connection.execute(SQL["counters"]):
        counters[row["site"]][row["name"]] = row["value"]
    agents: dict[str, list[sqlite3.Row]] = defaultdict(list)
    for row in connection.execute(SQL["agents"]):
        agents[row["site"]].append(row)
    waiting: dict[str, sqlite3.Row] = {}
    held: dict[str, sqlite3.Row] = {}
    for row in connection.execute(SQL["open_counts"]):
        (held if row["held"] else waiting)[row["site"]] = row
    result = []
    for (site,) in connection.execute(SQL["sites"]).fetchall():
        oldest = [row["oldest"] for row in (waiting.get(site), held.get(site)) if row is not None]
        result.append(
            SiteLag(
                site=site,
                agents=tuple(
                    Heartbeat.model_validate_json(row["heartbeat"]) for row in agents[site]
                ),
                last_heard=max((instant(row["heard"]) for row in agents[site]), default=None),
                waiting=waiting[site]["n"] if site in waiting else 0,
                behind_held=waiting[site]["blocked"] if site in waiting else 0,
                held=held[site]["n"] if site in held else 0,
                applied=counters[site].get("applied", 0),
                oldest_waiting=instant(min(oldest)) if oldest else None,
                counters=counters[site],
            )
        )
    return result
