"""What an error of SQLite means for whoever must act."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from edge_contract.errors import EdgeError, NeedsOperator, Retryable

_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}


class Damaged(sqlite3.DatabaseError):
    """Pages do not fit together, as found by a check of our own."""


def primary_code(error: sqlite3.Error) -> int | None:
    """SQLite's primary result code, e.g. ``SQLITE_FULL``."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF


def is_disk_fault(error: sqlite3.Error) -> bool:
    """No room, or the disk failed: may pass by itself."""
    return primary_code(error) in _DISK


def any_text(value: bytes) -> str:
    """For ``text_factory``: text that is no UTF-8 any more is for the digest to refuse."""
    return value.decode("utf-8", "backslashreplace")


def is_damage(error: BaseException | None) -> bool:
    """The file is an SQLite database, but its pages or its schema make no sense.

    Every statement prepares against the true schema (a test shows it), so that ``SQLITE_ERROR``
    means a changed one.
    """
    return isinstance(error, Damaged) or (
        isinstance(error, sqlite3.Error)
        and primary_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}
    )


def translated(error: sqlite3.Error, path: Path) -> EdgeError:
    """The error to raise instead, with its remedy."""
    code = primary_code(error)
    if code == sqlite3.SQLITE_BUSY or code == sqlite3.SQLITE_LOCKED:
        return NeedsOperator(
            "outbox_in_use",
            f"Another process has the outbox {path} open.",
            "Stop the other agent, or ask the running one: edge-agent status.",
        )
    if code in _DISK:
        return Retryable(
            f"The disk of {path} failed or is full ({error}); nothing was changed. Look at its "
            "free space, quota and health; the agent goes on by itself."
        )
    if is_damage(error):
        return NeedsOperator(
            "outbox_damaged",
            f"The outbox {path} is damaged ({error}).",
            "Restart the agent: it saves every row that can be proved, and keeps the damaged file. "
            "Check the disk.",
        )
    if code == sqlite3.SQLITE_NOTADB:
        return NeedsOperator(
            "outbox_no_database",
            f"{path} is damaged or no outbox at all ({error}).",
            "Check the path in [outbox]; if it is right, set the file aside and check the disk.",
        )
    return Retryable(f"The outbox {path} could not do that ({error}); it is tried again.")
