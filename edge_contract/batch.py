"""What goes over the wire between agent and relay beside the event itself."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from edge_contract.event import Identifier
from edge_contract.outcome import Outcome
from edge_contract.scalars import Instant

#: Media type of ``POST /v1/batches``: a JSON array of CloudEvents.
BATCH_MEDIA_TYPE = "application/cloudevents-batch+json"
#: Headers of ``POST /v1/batches``. The batch's body is plain CloudEvents, so what names the outbox
#: stands beside it. The site is taken from the credentials, never from here.
AGENT_HEADER = "X-Edge-Agent"
GENERATION_HEADER = "X-Edge-Generation"
#: Most events in a batch, and most bytes of its body before and after decompression.
MAX_BATCH_EVENTS = 500
MAX_BATCH_BYTES = 8 * 1024 * 1024


#: Counts the items of a site's downlink; exact in every JSON reader.
Cursor = Annotated[int, Field(ge=0, lt=2**53)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Reply(BaseModel):
    """What the relay says: a newer relay may say more, and an older agent reads what it knows."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Refused(_Reply):
    """An event of a batch that the relay keeps for the record and will never apply."""

    position: int
    id: UUID
    code: str
    message: str


class BatchReply(_Reply):
    """The whole batch is stored: every event of it may be marked as relayed."""

    generation: UUID
    stored_through: Annotated[int, Field(ge=0)]
    """Every position of this generation up to here, without a gap, is stored at the relay."""
    new: int
    duplicates: int
    refused: tuple[Refused, ...] = ()


class Heartbeat(_Model):
    """What an agent says of itself, about every 15 s."""

    agent: Identifier
    generation: UUID
    boot: UUID
    """Made anew each time the agent starts: two boots alive at once are two live hosts."""
    version: str
    time: Instant
    newest_position: int
    stored: int
    """Rows in the outbox that are not applied yet."""
    unrelayed: int
    oldest_unrelayed: Instant | None = None
    quarantined: int = 0
    intake: Literal["open", "refused"]
    intake_reason: str = ""
    devices_online: int = 0
    devices_at_risk: tuple[str, ...] = ()
    """Devices that cannot wait for feedback."""
    counters: dict[str, int] = Field(default_factory=dict)


class HeartbeatReply(_Reply):
    """Where to resume, and what the relay thinks of the time."""

    stored_through: int
    time: Instant
    site: str
    odoo: Literal["ok", "unreachable", "stopped", "unconfigured"]
    stop: str | None = None
    """Set when this agent must stop: why, and what to do."""


class DownlinkItem(_Reply):
    """One item of the downlink; today always an outcome."""

    cursor: Cursor
    outcome: Outcome


class DownlinkReply(_Reply):
    """Items after the cursor asked for, oldest first. Empty when the long poll ran out."""

    items: tuple[DownlinkItem, ...]
    cursor: Cursor
    """Ask with this next."""
