"""A relay in memory, for tests of what talks to one: stores, dedupes, and fails on demand."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from edge_agent.sync.outcomes import identity_of
from edge_agent.sync.port import BatchRefused, GenerationReused
from edge_contract.batch import (
    BatchReply,
    DownlinkItem,
    DownlinkReply,
    Heartbeat,
    HeartbeatReply,
    Refused,
)
from edge_contract.errors import EdgeError, Retryable
from edge_contract.outcome import Outcome

Key = tuple[str, UUID]


class MemoryRelay:
    """See :class:`edge_agent.sync.port.Relay`.

    ``faults`` are raised one a call (batches and heartbeats alike); with ``swallow`` set, batches
    are stored and the answer is lost. ``poison`` are ids it calls malformed, ``conflicts`` ids it
    keeps for the record only.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.faults: deque[EdgeError] = deque()
        self.swallow = 0
        self.poison: set[UUID] = set()
        self.conflicts: set[UUID] = set()
        self.stop: str | None = None
        self.down = False
        self.events: dict[Key, dict[str, Any]] = {}
        """What is stored, in order of arrival."""
        self.heartbeats: list[Heartbeat] = []
        self.batches = 0
        self.duplicates = 0
        self._clock = clock
        self._positions: dict[UUID, dict[int, Key]] = {}
        self._outcomes: list[Outcome] = []
        self._told = asyncio.Event()

    async def send(self, generation: UUID, events: Sequence[str]) -> BatchReply:
        self._maybe_fail()
        self.batches += 1
        known = self._positions.setdefault(generation, {})
        parsed = [(int(json.loads(text)["position"]), identity_of(text), text) for text in events]
        if bad := frozenset(position for position, key, _ in parsed if key[1] in self.poison):
            raise BatchRefused("bad-batch", "An event is malformed.", bad)
        for position, key, _ in parsed:
            if known.get(position, key) != key:
                raise GenerationReused(f"Position {position} was another event before.")
        new = 0
        refused = []
        for position, key, text in parsed:
            known[position] = key
            if key[1] in self.conflicts:
                refused.append(
                    Refused(position=position, id=key[1], code="content_conflict", message="Other.")
                )
            elif key not in self.events:
                self.events[key] = json.loads(text)
                new += 1
        self.duplicates += len(parsed) - new - len(refused)
        if self.swallow:
            self.swallow -= 1
            raise Retryable("The answer was lost.")
        return BatchReply(
            generation=generation,
            stored_through=self._through(generation),
            new=new,
            duplicates=len(parsed) - new - len(refused),
            refused=tuple(refused),
        )

    async def heartbeat(self, heartbeat: Heartbeat) -> HeartbeatReply:
        self._maybe_fail()
        self.heartbeats.append(heartbeat)
        return HeartbeatReply(
            stored_through=self._through(heartbeat.generation),
            time=self._clock(),
            site="site",
            odoo="ok",
            stop=self.stop,
        )

    async def downlink(self, after: int) -> DownlinkReply:
        if self.down:
            raise Retryable("The relay is down.")
        if len(self._outcomes) < after:
            return DownlinkReply(items=(), cursor=len(self._outcomes))
        if len(self._outcomes) == after:
            self._told.clear()
            await self._told.wait()
        items = [
            DownlinkItem(cursor=number, outcome=outcome)
            for number, outcome in enumerate(self._outcomes, start=1)
            if number > after
        ]
        return DownlinkReply(items=tuple(items), cursor=len(self._outcomes))

    async def close(self) -> None:
        return

    def restore(self) -> None:
        """Be an older copy, made before anything came."""
        self.events.clear()
        self._positions.clear()
        self._outcomes.clear()

    def outcome(self, outcome: Outcome) -> None:
        """Put an outcome on the downlink."""
        self._outcomes.append(outcome)
        self._told.set()

    def _maybe_fail(self) -> None:
        if self.down:
            raise Retryable("The relay is down.")
        if self.faults:
            raise self.faults.popleft()

    def _through(self, generation: UUID) -> int:
        known = self._positions.get(generation, {})
        through = 0
        while through + 1 in known:
            through += 1
        return through
