"""A damaged database: every row that can still be proved moves to a new file.

Runs when the outbox is opened, before anything else. Rows keep their positions, stages and
outcomes; the damaged file stays beside the new one for a person. A row is taken only if its digest
is right, so that nothing comes out of a salvage that a device did not say. The new file has no
``.home`` beside it that fits, and takes a new generation for that reason.

The damaged file keeps its name until the new one is complete, and :func:`finish` takes up what was
interrupted between the two: whenever the process dies, the next start does not begin an empty one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_agent.outbox.faults import any_text
from edge_agent.outbox.home import read_home
from edge_agent.outbox.ledger import tally_name
from edge_agent.outbox.record import DamagedRow, Stored, proved
from edge_agent.outbox.statements import SQL, expected_schema, migrate
from edge_contract import killpoint

#: Positions in a row that cannot be read before the rest is taken for the end of the outbox, when
#: nothing says where it ended.
HOPELESS = 100_000


def suspect_path(database: Path) -> Path:
    """A mark beside the database: read it as a whole at the next start."""
    return database.with_name(database.name + ".suspect")


def salvage(database: Path) -> None:
    """Put a new database with all rows that can be proved in the place of a damaged one."""
    draft = database.with_name(database.name + ".draft")
    draft.unlink(missing_ok=True)
    source = sqlite3.connect(database, isolation_level=None)
    source.text_factory = any_text
    _mend_schema(source)
    target = sqlite3.connect(draft, isolation_level=None)
    try:
        target.execute("PRAGMA synchronous = FULL")
        migrate(target)
        target.execute("BEGIN")
        _copy(source, target, database)
        target.execute("COMMIT")
    finally:
        source.close()
        target.close()
    draft.rename(_salvaged(database))
    killpoint.reached("salvage.complete")
    finish(database)


def finish(database: Path) -> None:
    """Put a complete salvage, if there is one, in the damaged database's place."""
    salvaged = _salvaged(database)
    if salvaged.exists():
        _set_aside(database)
        killpoint.reached("salvage.set_aside")
        salvaged.rename(database)


def _salvaged(database: Path) -> Path:
    return database.with_name(database.name + ".salvaged")


def _set_aside(database: Path) -> None:
    number = 1
    while (aside := database.with_name(f"{database.name}.damaged-{number}")).exists():
        number += 1
    log = database.with_name(database.name + "-wal")
    if log.exists():  # it belongs to the database by name
        log.rename(aside.with_name(aside.name + "-wal"))
    if database.exists():
        database.rename(aside)


def _mend_schema(source: sqlite3.Connection) -> None:
    """One wrong letter in the schema would hide every row of its table."""
    expected = expected_schema()
    try:
        source.execute("PRAGMA writable_schema = ON")
        names = {name for (name,) in source.execute("SELECT name FROM sqlite_schema")}
        missing, unknown = expected.keys() - names, names - expected.keys()
        if len(missing) == len(unknown) == 1:
            rename = (missing.pop(), unknown.pop())
            source.execute("UPDATE sqlite_schema SET name = ? WHERE name = ?", rename)
        for name, values in expected.items():
            source.execute(
                "UPDATE sqlite_schema SET type = ?, tbl_name = ?, sql = ? WHERE name = ?",
                (*values, name),
            )
        source.execute("PRAGMA writable_schema = RESET")
    except sqlite3.DatabaseError:
        return  # then what cannot be read is counted as lost


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, database: Path) -> None:
    state = dict(_readable(source, "SELECT name, value FROM state"))
    counters = dict(_readable(source, "SELECT name, value FROM counter"))
    target.executemany(SQL["put_state"], state.items())
    devices = list(_readable(source, "SELECT number, name FROM device"))
    target.executemany(SQL["insert_device"], devices)
    home = read_home(database)
    known_end = max(int(counters.get("newest", 0)), 0 if home is None else home.newest)
    newest, lost = _copy_events(
        source, target, {name: number for number, name in devices}, known_end
    )
    if "salt" in state:
        settled = _readable(
            source, "SELECT content, run, key, position FROM seen WHERE content IS NOT NULL"
        )
        target.executemany(SQL["settle_seen"], settled)
    for _, *entry in _readable(source, "SELECT * FROM quarantine"):
        target.execute(SQL["insert_quarantine"], entry)
    counters["newest"] = max(newest, known_end)
    counters["salvages"] = counters.get("salvages", 0) + 1
    counters["salvage_lost"] = counters.get("salvage_lost", 0) + lost
    target.executemany(SQL["put_counter"], counters.items())
    recount(target)


def _copy_events(
    source: sqlite3.Connection, target: sqlite3.Connection, devices: dict[str, int], known_end: int
) -> tuple[int, int]:
    """Highest position saved, and how many could not be."""
    newest = lost = 0
    position, failed = 0, 0
    while position < known_end or failed < HOPELESS:
        position += 1
        try:
            row = source.execute(SQL["salvage_event"], (position,)).fetchone()
            if row is None and position > known_end:
                break
            if row is None:
                continue
            stored = proved(Stored(*row[:5]), row[5])
        except (sqlite3.DatabaseError, DamagedRow):
            failed += 1
            lost += position <= known_end
            continue
        failed, newest = 0, position
        if stored.device not in devices:  # the list of devices could not be read to its end
            devices[stored.device] = max(devices.values(), default=0) + 1
            target.execute(SQL["insert_device"], (devices[stored.device], stored.device))
        values = (position, devices[stored.device], row[7], stored.id, stored.recorded)
        target.execute(SQL["insert_event"], (*values, stored.body, row[5]))
        target.execute(SQL["set_stage"], (row[6] if row[6] in range(7) else 0, position))
        _copy_outcome(source, target, position)
    return newest, lost


def _copy_outcome(source: sqlite3.Connection, target: sqlite3.Connection, position: int) -> None:
    for outcome in _readable(source, SQL["salvage_outcome"], position):
        target.execute(SQL["put_outcome"], outcome)


def _readable(connection: sqlite3.Connection, sql: str, *values: object) -> Iterator[Any]:
    """Rows up to the first that cannot be read."""
    try:
        yield from connection.execute(sql, values)
    except sqlite3.DatabaseError:
        return


def recount(connection: sqlite3.Connection) -> None:
    """Set the tallies to what is there."""
    for stage, rows in dict.fromkeys((*range(7), 9), 0).items():
        connection.execute(SQL["put_counter"], (tally_name(stage), rows))
    for stage, rows in connection.execute(SQL["count_stages"]).fetchall():
        connection.execute(SQL["put_counter"], (tally_name(stage), rows))
