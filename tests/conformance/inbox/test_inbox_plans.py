"""No statement of the store reads through the history, however long it is."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import pytest

from cloud_relay.inbox.rows import SQL
from edge_storage.sqlite import migrate

#: Reads events in the order of their numbers and stops at the first that is young.
STOPS_EARLY = {"oldest_events"}
#: Tables that grow with history.
HISTORY = re.compile(r"\bSCAN (events|e|w|h|outcomes|copies|c|conflicts)\b(?!.* INDEX events_open)")


def plan(connection: sqlite3.Connection, statement: str) -> list[str]:
    names = set(re.findall(r":([a-z_]+)", statement))
    values = dict.fromkeys(names, 1) if names else (1,) * statement.count("?")
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
    return [row[3] for row in rows]


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, "cloud_relay.inbox")
    yield connection
    connection.close()


@pytest.mark.parametrize("name", sorted(set(SQL) - STOPS_EARLY))
def test_the_statement_reads_by_an_index(connection: sqlite3.Connection, name: str) -> None:
    steps = plan(connection, SQL[name])
    assert [step for step in steps if HISTORY.search(step)] == []


def test_a_statement_that_scans_is_caught(connection: sqlite3.Connection) -> None:
    steps = plan(connection, "SELECT * FROM events WHERE message = ?")
    assert any(HISTORY.search(step) for step in steps)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("ready", "events_ready"),
        ("next_due", "events_deferred"),
        ("any_short_due", "events_deferred"),
        ("oldest_readings", "events_trace"),
        ("ready_in_lane", "events_lane"),
        ("block_lane", "events_lane"),
        ("free_lane", "events_lane"),
        ("lane_is_held", "events_holding"),
        ("requeue", "events_applied"),
        ("awaiting", "events_awaiting"),
        ("any_awaiting", "events_awaiting"),
        ("held", "events_open"),
        ("held_at", "events_open"),
        ("open_counts", "events_open"),
        ("oldest_open", "events_open"),
        ("known", "events_key"),
        ("known_stray", "events_stray"),
        ("at_position", "events_position"),
        ("downlink", "outcomes_downlink"),
        ("rungs", "outcomes_number"),
        ("drop_outcomes", "outcomes_number"),
        ("behind", "events_lane"),
    ],
)
def test_the_statement_uses_its_index(
    connection: sqlite3.Connection, name: str, index: str
) -> None:
    steps = plan(connection, SQL[name])
    assert any(index in step for step in steps), steps
