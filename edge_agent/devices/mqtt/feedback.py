"""Answers on their way to devices: bounded, written by any thread, sent by the link's."""

from __future__ import annotations

import threading
from collections import deque
from uuid import UUID

from edge_agent.outbox.port import Appended, Reading, Unreadable
from edge_contract.mqtt import Feedback, feedback_topic
from edge_contract.outcome import REFUSALS

#: What is sent for every stored event, with its id filled in: the same as ``Feedback`` writes.
_STORED = '{"event":"%s","stage":"stored","ok":true,"tone":"good","message":"","code":""}'


def stored_payload(event_id: UUID) -> bytes:
    """``Feedback(event=…, stage="stored", ok=True, tone="good")`` as JSON, without the model."""
    return (_STORED % event_id).encode()


def answer(item: Reading | Unreadable, appended: Appended, claimed: UUID | None) -> bytes:
    """The feedback for one item after its commit, as JSON.

    ``claimed`` is the id that an unreadable payload bore, if it could be found.
    """
    if isinstance(item, Unreadable):
        return _text(claimed, "quarantined", item.code, item.message)
    if appended.result == "conflict":
        meaning, remedy = REFUSALS["content_conflict"]
        return _text(item.event.id, "quarantined", "content_conflict", f"{meaning} {remedy}")
    if appended.result == "quarantined":
        message = "The outbox cannot keep this event; its bytes are set aside."
        return _text(item.event.id, "quarantined", "bad_value", message)
    if item.event.id is None:
        return Feedback(event=None, stage="stored", ok=True, tone="good").model_dump_json().encode()
    return stored_payload(item.event.id)


def refusal(event_id: UUID | None, reason: str) -> bytes:
    """The feedback for what was not stored."""
    return (
        Feedback(
            event=event_id,
            stage="refused",
            ok=False,
            tone="bad",
            message=f"Not stored: {reason} Keep it and send it again.",
            code="intake_refused",
        )
        .model_dump_json()
        .encode()
    )


def _text(event_id: UUID | None, stage: str, code: str, message: str) -> bytes:
    feedback = Feedback.model_validate(
        {
            "event": event_id,
            "stage": stage,
            "ok": False,
            "tone": "bad",
            "message": message,
            "code": code,
        }
    )
    return feedback.model_dump_json().encode()


class Outgoing:
    """A bounded queue of ``(topic, payload)``. When it is full the newest is dropped and counted:
    a device that hears nothing sends its event again, and is answered then."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue: deque[tuple[str, bytes]] = deque()
        self._lock = threading.Lock()
        self.dropped = 0

    def put(self, device: str, payload: bytes) -> bool:
        """False when it was dropped."""
        with self._lock:
            if len(self._queue) >= self._limit:
                self.dropped += 1
                return False
            self._queue.append((feedback_topic(device), payload))
            return True

    def take(self, most: int) -> list[tuple[str, bytes]]:
        with self._lock:
            return [self._queue.popleft() for _ in range(min(most, len(self._queue)))]

    def give_back(self, items: list[tuple[str, bytes]]) -> None:
        """Put items that were not sent back in front, in order; the bound does not apply."""
        with self._lock:
            self._queue.extendleft(reversed(items))

    def __len__(self) -> int:
        return len(self._queue)
