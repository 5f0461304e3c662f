"""The ``[outbox]`` section of the agent's configuration."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MIB = 1024 * 1024


class OutboxSettings(BaseModel):
    """Where events wait for the relay, and the bounds at which intake is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path = Path("/var/lib/warehouse-edge/outbox.db")
    """The database. Its ``-wal`` and ``.home`` files stand beside it, on a local disk."""
    max_bytes: Annotated[int, Field(ge=MIB // 4)] = 4096 * MIB
    """Intake is refused while rows fill this much; about 1 KiB an event."""
    min_free_bytes: Annotated[int, Field(ge=MIB)] = 256 * MIB
    """Intake is refused while the file system has less room: what is left is for the write-ahead
    log, its checkpoint, and the deletions that make room again."""
    retain_applied_hours: Annotated[int, Field(ge=1, le=24 * 366)] = 24 * 7
    """How long a row is kept once its outcome is final. Shorter than the relay keeps it,
    and given up, oldest first, when a bound of room comes near."""
    remember_ids: Annotated[int, Field(ge=100, le=20_000_000)] = 1_000_000
    """Ids of deleted rows by which a late resend is still known. Beyond them the relay knows it."""
    quarantine_max_rows: Annotated[int, Field(ge=10)] = 10_000
    quarantine_max_bytes: Annotated[int, Field(ge=MIB)] = 64 * MIB
    """Past either bound the oldest entry of the device with most entries is given up, counted."""

    @property
    def retain_applied(self) -> timedelta:
        return timedelta(hours=self.retain_applied_hours)
