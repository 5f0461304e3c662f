"""A handheld as the contract asks for it, without its radio."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from edge_contract.mqtt import Feedback
from edge_contract.scalars import instant_text


class Handheld:
    """Keeps what it scanned until it hears ``stored``, and sends what it keeps in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.home = 0
        """The agent in whose reach it is."""
        self.scanned: list[UUID] = []
        self.kinds: dict[UUID, str] = {}
        self.payloads: dict[UUID, bytes] = {}
        self.waiting: list[UUID] = []
        self.sent: list[tuple[int, UUID]] = []
        """(agent, event) of everything it ever published."""

    def scan(self, kind: str, data: dict[str, Any], at: datetime) -> UUID:
        event = uuid4()
        said = {
            "id": str(event),
            "kind": kind,
            "time": instant_text(at),
            "seq": len(self.scanned) + 1,
            "data": {name: value for name, value in data.items() if value not in ("", None)},
        }
        self.scanned.append(event)
        self.waiting.append(event)
        self.kinds[event] = kind
        self.payloads[event] = json.dumps(said).encode()
        return event

    def publish(self, many: int, *, again: bool) -> list[tuple[str, bytes]]:
        """The oldest ``many`` events it keeps; ``again``: and all of them a second time."""
        events = self.waiting[:many]
        self.sent += [(self.home, event) for event in events]
        return [(self.name, self.payloads[event]) for event in events * (2 if again else 1)]

    def hear(self, feedback: Feedback) -> None:
        """Forget an event, but only when it is stored."""
        if feedback.stage == "stored" and feedback.event in self.waiting:
            self.waiting.remove(feedback.event)
        elif feedback.stage != "stored":
            raise AssertionError(f"{self.name} heard {feedback}")

    def bound(self, known: Callable[[UUID], bool]) -> bool:
        """Whether it must stay where it is: what it gave away for a transfer is not at the relay.

        Two agents hand over what they have when they can, so a transfer worked on at both could be
        closed before its scans are there. What belongs to no transfer may go any way.
        """
        return any(
            self.kinds[event].startswith(("transfer.", "event."))
            and event not in self.waiting
            and not known(event)
            for event in self.scanned
        )
