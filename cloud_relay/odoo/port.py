"""What the relay asks of Odoo, as plain data: one call, one transaction, one answer an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from edge_contract.outcome import OdooRecord


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Binding(_Model):
    """What a target may touch. The action refuses anything outside it."""

    company: int
    warehouses: tuple[int, ...]
    allow_negative: bool = False


class OdooEvent(_Model):
    """One event for the server action. Times are UTC text as Odoo writes them, with
    microseconds: ``2026-11-23 10:00:00.120000``."""

    key: str
    """``device|uuid``: the claim."""
    digest: str
    kind: str
    device: str
    site: str
    occurred: str
    """Device time corrected by its clock offset: what counts and dates use."""
    recorded: str
    data: dict[str, Any]


class OdooBatch(_Model):
    """Events in the order they must be applied."""

    database_uuid: str
    watermark: dict[str, str]
    """``claim`` and ``key`` of the newest claim the relay knows of; empty at first."""
    binding: Binding
    events: Sequence[OdooEvent]


class OdooResult(_Model):
    """What became of one event. ``skipped``: an earlier event of its document was refused."""

    key: str
    status: Literal["applied", "duplicate", "refused", "skipped"]
    code: str = ""
    message: str = ""
    record: OdooRecord | None = None
    notes: tuple[str, ...] = Field(default=())


class OdooReply(_Model):
    """The answer to a whole batch, after its commit."""

    results: tuple[OdooResult, ...]
    watermark: dict[str, str]


class OdooApplier(Protocol):
    """Applies a batch exactly once, or raises and leaves it to be sent again.

    Raises ``Retryable`` (no answer, lock, restart: the outcome is unknown, sending the same batch
    again is safe) or ``NeedsOperator`` with code ``uuid_changed``, ``went_back``,
    ``not_installed``, ``action_changed``, ``no_rights`` or ``bad_key``.
    """

    async def apply(self, batch: OdooBatch) -> OdooReply: ...
