"""Outcomes into the outbox, and what the device is told of them: once, after the commit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol
from uuid import UUID

from edge_contract import killpoint
from edge_contract.event import CloudEvent
from edge_contract.mqtt import Feedback
from edge_contract.outcome import Outcome

#: Hands feedback for a device to its link. Must not block; may be called from the event loop.
Tell = Callable[[str, Feedback], None]
#: Adds to a named counter (I9).
Count = Callable[[str, int], None]


class OutcomeStore(Protocol):
    """The part of the outbox that knows what became of events."""

    async def record_outcomes(self, outcomes: Sequence[Outcome], cursor: int) -> list[Outcome]: ...

    async def downlink_cursor(self) -> int: ...

    async def renew_generation(self, reason: str) -> UUID: ...

    async def record_refusals(self, outcomes: Sequence[Outcome]) -> list[Outcome]: ...


class Outcomes:
    """The only writer of outcomes, whether the relay tells them or the uplink finds out itself.

    ``held`` are the (device, event) pairs that are held now: the second tone is owed to them. One
    that is applied without ever having been held says nothing: the floor heard ``stored`` already.
    """

    def __init__(
        self, store: OutcomeStore, tell: Tell, count: Count, held: Iterable[tuple[str, UUID]] = ()
    ) -> None:
        self._store = store
        self._tell = tell
        self._count = count
        self._held = set(held)
        self._one_at_a_time = asyncio.Lock()

    async def from_relay(self, outcomes: Sequence[Outcome], cursor: int) -> None:
        """Note what the downlink brought, with its cursor, and tell the devices what is news."""
        async with self._one_at_a_time:
            news = await self._store.record_outcomes(outcomes, cursor)
            killpoint.reached("downlink.after_record")
            self._count("downlink.outcomes", len(outcomes))
            self._count("downlink.no_news", len(outcomes) - len(news))
            for outcome in news:
                self._report(outcome)

    async def refused(self, outcomes: Sequence[Outcome]) -> None:
        """Note what the uplink learned: final, without the downlink's cursor."""
        async with self._one_at_a_time:
            for outcome in await self._store.record_refusals(outcomes):
                self._report(outcome)

    def _report(self, outcome: Outcome) -> None:
        self._count(f"outcome.{outcome.stage}", 1)
        key = (outcome.device, outcome.event)
        was_held = key in self._held
        if outcome.stage == "held":
            self._held.add(key)
        elif outcome.stage != "relayed":  # a replay: the second tone is still owed
            self._held.discard(key)
        feedback = feedback_for(outcome, was_held=was_held)
        if feedback is not None:
            self._tell(outcome.device, feedback)


def feedback_for(outcome: Outcome, *, was_held: bool) -> Feedback | None:
    """The second tone: bad for a refusal, good when a held event was applied after all."""
    if outcome.stage in ("held", "rejected"):
        return Feedback(
            event=outcome.event,
            stage=outcome.stage,
            ok=False,
            tone="bad",
            message=outcome.message,
            code=outcome.code,
        )
    if not was_held or outcome.stage not in ("applied", "discarded"):
        return None
    applied = outcome.stage == "applied"
    return Feedback(
        event=outcome.event,
        stage=outcome.stage,
        ok=applied,
        tone="good" if applied else "none",
        message=outcome.message or ("Applied after all." if applied else "Given up by a person."),
        code=outcome.code,
    )


def identity_of(text: str) -> tuple[str, UUID]:
    """Device and id of an event, from its JSON text as the outbox keeps it."""
    event = json.loads(text)
    source = CloudEvent.model_construct(source=event["source"])
    return source.device, UUID(event["id"])
