"""The relay as the agent sees it. :mod:`edge_agent.sync.client` speaks HTTP; tests bring their own.

Every call raises ``Retryable`` (no answer, or not now), ``NeedsOperator`` (rights, address,
certificates, versions) or one of the errors below. Nothing of a refused batch was stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from edge_contract.batch import BatchReply, DownlinkReply, Heartbeat, HeartbeatReply
from edge_contract.errors import EdgeError, Rejected, Retryable


class Busy(Retryable):
    """The relay asks for patience: ``retry_after`` seconds, when it says how long."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(Busy):
    """The relay is well and this agent asks too much of it."""


class BatchRefused(Rejected):
    """The relay read the body and will not take it: ``bad-batch`` or ``too-large``."""

    def __init__(self, code: str, message: str, positions: frozenset[int] = frozenset()) -> None:
        super().__init__(code, message)
        self.positions = positions
        """The positions at fault, when the relay names them."""


class GenerationReused(EdgeError):
    """The relay knows another event under a position of this generation: the outbox went back."""


class Relay(Protocol):
    """What the agent asks of the relay. The site follows from the credentials."""

    async def send(self, generation: UUID, events: Sequence[str]) -> BatchReply:
        """Hand over a batch (each event a CloudEvent's JSON text), stored whole or not at all."""
        ...

    async def heartbeat(self, heartbeat: Heartbeat) -> HeartbeatReply: ...

    async def downlink(self, after: int) -> DownlinkReply:
        """Outcomes after a cursor; waits at the relay when there are none."""
        ...

    async def close(self) -> None: ...
