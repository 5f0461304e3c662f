"""Opening the database: alone, checked, migrated, and known to be no copy."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from uuid import UUID

from edge_agent.outbox.faults import Damaged, any_text, is_damage, translated
from edge_agent.outbox.home import Home, place_of, read_home, why_a_copy, write_home
from edge_agent.outbox.intake import Randomness
from edge_agent.outbox.ledger import Ledger
from edge_agent.outbox.salvage import finish, salvage, suspect_path
from edge_agent.outbox.settings import MIB, OutboxSettings
from edge_agent.outbox.settle import begin_renewal, renewal_is_due, renewal_step
from edge_agent.outbox.statements import expected_schema, migrate, schema
from edge_contract.errors import NeedsOperator

#: Bytes of the write-ahead log before a commit copies them into the database. At most an eighth of
#: the room that intake leaves free, so that draining works when intake is refused.
LOG_BYTES = 16 * MIB
PAGE_BYTES = 4096
#: A larger database is not read as a whole at start; every row is proved when it is read.
CHECKED_AT_START = 64 * MIB

# Exclusive comes first: the log's index then stays in memory, and no second process can be let in.
# Debian's SQLite has a defect by which two connections can lose committed pages.
_PRAGMAS = (
    f"page_size = {PAGE_BYTES}",
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
    "synchronous = FULL",
    "cache_size = -16384",
    "temp_store = MEMORY",
    "trusted_schema = OFF",
)


def connect(settings: OutboxSettings) -> sqlite3.Connection:
    """The one connection; runs on the writer's thread. Raises ``NeedsOperator``."""
    path = settings.path
    log_bytes = max(MIB // 4, min(LOG_BYTES, settings.min_free_bytes // 8))
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, timeout=0.5)
    except (OSError, sqlite3.Error) as error:
        raise _unreachable(path, error) from error
    try:
        connection.text_factory = any_text
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {log_bytes // PAGE_BYTES}")
        connection.execute(f"PRAGMA journal_size_limit = {2 * log_bytes}")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("COMMIT")
        _check(connection, path)
        migrate(connection)
        if schema(connection) != expected_schema():
            raise Damaged("the schema is not the one that was made")
    except sqlite3.Error as error:
        connection.close()
        raise translated(error, path) from error
    except BaseException:
        connection.close()
        raise
    return connection


def connect_or_salvage(settings: OutboxSettings) -> sqlite3.Connection:
    """:meth:`connect`; a damaged database is replaced by what can be saved of it."""
    try:
        finish(settings.path)
        return connect(settings)
    except OSError as error:
        raise _unreachable(settings.path, error) from error
    except NeedsOperator as error:
        if not is_damage(error.__cause__):
            raise
    try:
        salvage(settings.path)
    except (OSError, sqlite3.Error) as error:
        raise NeedsOperator(
            "outbox_damaged",
            f"The outbox {settings.path} is damaged, and what is left of it cannot be saved beside "
            f"it ({error}).",
            "Free as much room there as the outbox takes, and start the agent again; the damaged "
            "file is left as it is.",
        ) from error
    suspect_path(settings.path).unlink(missing_ok=True)
    return connect(settings)


def _unreachable(path: Path, error: Exception) -> NeedsOperator:
    return NeedsOperator(
        "outbox_unreachable",
        f"The outbox {path} cannot be opened ({error}).",
        "Create its directory and give it to the agent's user.",
    )


def _check(connection: sqlite3.Connection, path: Path) -> None:
    suspect = suspect_path(path)
    if path.stat().st_size > CHECKED_AT_START and not suspect.exists():
        return
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise Damaged(f"quick_check: {found}")
    suspect.unlink(missing_ok=True)


def open_ledger(
    connection: sqlite3.Connection, settings: OutboxSettings, randomness: Randomness
) -> Ledger:
    """Load what is kept in memory, and take a new generation if the file is new or a copy."""
    ledger = Ledger(connection, settings.remember_ids)
    path = settings.path
    if "generation" not in ledger.state:
        with ledger.transaction():
            ledger.put_state("salt", randomness(16))
            ledger.put_state("generation", str(new_generation(randomness)))
    else:
        reason = why_a_copy(
            read_home(path),
            token=str(ledger.state.get("token", "")),
            place=str(ledger.state.get("place", "")),
            place_now=place_of(path),
            newest=ledger.newest,
        )
        if reason is not None:
            begin_renewal(ledger, new_generation(randomness), reason)
    while renewal_is_due(ledger):
        renewal_step(ledger)
    move_in(ledger, settings, randomness(16).hex())
    return ledger


def move_in(ledger: Ledger, settings: OutboxSettings, token: str) -> None:
    """Note where the database lives. A crash between the two notes costs one resend."""
    with ledger.transaction():
        ledger.put_state("token", token)
        ledger.put_state("place", place_of(settings.path))
    note_newest(ledger, settings)


def note_newest(ledger: Ledger, settings: OutboxSettings) -> None:
    """Note beside the database how far it has come."""
    write_home(settings.path, Home(str(ledger.state["token"]), ledger.newest))


def new_generation(randomness: Randomness) -> UUID:
    return UUID(bytes=randomness(16), version=4)
