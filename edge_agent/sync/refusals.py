"""What becomes of a batch that the relay read and will not take as it is. Pure."""

from __future__ import annotations

import json

from edge_agent.sync.actions import Batch
from edge_agent.sync.port import BatchRefused


def plain(batch: Batch, error: BatchRefused, since: int) -> Batch | None:
    """The batch without ``weighed`` in the events at fault; ``None`` when there is none in them."""
    if error.code != "bad-batch":
        return None
    guilty = error.positions if len(batch) > 1 else frozenset(batch.positions)
    events = tuple((at, _plain_text(text) if at in guilty else text) for at, text in batch.events)
    return None if events == batch.events else Batch(events, True, since)


def _plain_text(text: str) -> str:
    if '"weighed"' not in text:
        return text
    event = json.loads(text)
    if "weighed" not in event["data"]:
        return text
    del event["data"]["weighed"]
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def split(batch: Batch, guilty: frozenset[int], since: int) -> list[Batch]:
    """Smaller batches in the same order per device: the named ones alone, or two halves."""
    alone = [event for event in batch.events if event[0] in guilty]
    rest = tuple(event for event in batch.events if event[0] not in guilty)
    middle = len(batch) // 2
    pieces = [batch.events[:middle], batch.events[middle:]]
    if alone and rest:
        pieces = [*((event,) for event in alone), rest]
    return [Batch(piece, True, since) for piece in pieces]
