"""Notices that an outbox is a copy: restored from a backup, cloned, or moved to another machine.

A copy must not go on under the old generation, because the relay would answer "I have that
already" to positions that now carry other events. A false alarm costs one resend, a missed one is
left to the relay, which notices a reused position. So three cheap signs are compared: the machine's
id, the file's inode, and a file ``outbox.db.home`` beside it that holds a token made anew at every
start and the newest position at the last look.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

MACHINE_ID = Path("/etc/machine-id")


def home_path(database: Path) -> Path:
    return database.with_name(database.name + ".home")


def place_of(database: Path) -> str:
    """Where the file lives: machine and inode."""
    try:
        machine = MACHINE_ID.read_text().strip()
    except OSError:
        machine = "unknown"
    return f"{machine}:{database.stat().st_ino}"


@dataclass(frozen=True, slots=True)
class Home:
    """What the file beside the database says."""

    token: str
    newest: int


def read_home(database: Path) -> Home | None:
    """``None`` if there is none that makes sense."""
    try:
        told = json.loads(home_path(database).read_text())
        return Home(str(told["token"]), int(told["newest"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_home(database: Path, home: Home) -> bool:
    """Replace the file as a whole, after it has reached the disk.

    False on a disk that takes no writes: an old file beside the database costs one resend at the
    next start, which is better than not starting, not stopping or not pruning.
    """
    path = home_path(database)
    draft = path.with_name(path.name + ".new")
    try:
        with open(draft, "w") as file:
            json.dump({"token": home.token, "newest": home.newest}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        return False
    return True


def why_a_copy(
    home: Home | None, *, token: str, place: str, place_now: str, newest: int
) -> str | None:
    """A sentence if the database is not the one that was last open here, else ``None``."""
    if place != place_now:
        return "The outbox was last open on another machine or as another file: it is a copy."
    if home is None:
        return "The file beside the outbox that proves its identity is missing: it may be a copy."
    if home.token != token:
        return "The outbox is older than the file beside it says: it was restored from a copy."
    if home.newest > newest:
        return (
            f"The outbox ends at position {newest}, but had reached {home.newest}: it was "
            "rolled back."
        )
    return None
