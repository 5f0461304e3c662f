"""What the uplink may decide to do, and what it says of itself. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from edge_contract.batch import MAX_BATCH_EVENTS


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a batch, and how long a live event may wait for company (seconds)."""

    events: int = MAX_BATCH_EVENTS
    bytes: int = 1024 * 1024
    linger_s: float = 0.005
    spacing_s: float = 0.05
    """Between two batches that are not full, so that live events cost the relay at most 20 requests
    a second whatever their rate. Full batches follow each other at once."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in order, each with its outbox position and its JSON text."""

    events: tuple[tuple[int, str], ...]
    full: bool = False
    """There is probably more where these came from."""
    refused_after: int | None = None
    """How many batches the relay had taken when it first refused these events; else ``None``."""

    def __len__(self) -> int:
        return len(self.events)

    @property
    def positions(self) -> list[int]:
        return [position for position, _ in self.events]

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.events]


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get pending events from the outbox."""

    events: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send the batch; after a good answer mark it as relayed."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Beat:
    """Send a heartbeat."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """The relay will never take this event; its neighbours it does."""

    position: int
    text: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Renew:
    """The outbox went back in time: give it a new generation and send everything again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do for so many seconds, or until something is appended (``None``)."""

    seconds: float | None


Action = Fetch | Send | Beat | SetAside | Renew | Wait


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the uplink does not get on, for people."""

    code: str
    message: str
    remedy: str = ""
