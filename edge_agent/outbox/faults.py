"""What an error of SQLite means for whoever must act."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from edge_contract.errors import EdgeError, NeedsOperator, Retryable

_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def primary_code(error: sqlite3.Error) -> int | None:
    """SQLite's primary result code, e.g. ``SQLITE_FULL``."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF


def is_disk_fault(error: sqlite3.Error) -> bool:
    """No room, or the disk failed: may pass by itself."""
    return primary_code(error) in _DISK


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
    if code in _DAMAGE or code is None:
        return NeedsOperator(
            "outbox_damaged",
            f"The outbox {path} is damaged ({error}).",
            "Check the disk, then set the file aside; devices send again what was not confirmed.",
        )
    return Retryable(f"The outbox {path} could not do that ({error}); it is tried again.")
