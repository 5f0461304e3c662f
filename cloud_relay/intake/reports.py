"""What people and monitors are shown of sites and events, as plain JSON. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cloud_relay.inbox.port import Alarm, Entry, SiteLag
from edge_contract.outcome import REFUSALS, Outcome, Stage
from edge_contract.scalars import instant_text


def instant(value: datetime | None) -> str | None:
    return None if value is None else instant_text(value)


def site(lag: SiteLag, target: str) -> dict[str, Any]:
    return {
        "site": lag.site,
        "target": target,
        "last_heard": instant(lag.last_heard),
        "waiting": lag.waiting,
        "behind_held": lag.behind_held,
        "held": lag.held,
        "applied": lag.applied,
        "oldest_waiting": instant(lag.oldest_waiting),
        "unrelayed": sum(agent.unrelayed for agent in lag.agents),
        "counters": dict(lag.counters),
        "agents": [agent.model_dump(mode="json") for agent in lag.agents],
    }


def silent(name: str, target: str) -> dict[str, Any]:
    """A configured site that was never heard of."""
    return site(SiteLag(name, (), None, 0, 0, 0, 0, None), target)


def alarm(found: Alarm) -> dict[str, Any]:
    return {
        "key": found.key,
        "site": found.site,
        "message": found.message,
        "raised": instant(found.raised),
    }


def entry(found: Entry) -> dict[str, Any]:
    """One event where it stands, with what to do about a refusal."""
    event = found.event
    return {
        "number": found.number,
        "site": found.site,
        "target": found.target,
        "device": event.device,
        "event": str(event.id),
        "kind": event.kind,
        "lane": found.lane,
        "status": found.status,
        "code": found.code,
        "message": found.message,
        "remedy": REFUSALS[found.code][1] if found.code in REFUSALS else "",
        "record": None if found.record is None else found.record.model_dump(mode="json"),
        "attempts": found.attempts,
        "occurred": instant(event.occurred),
        "recorded": instant(event.recordedtime),
        "received": instant(found.received),
        "applied": instant(found.applied),
        "data": event.data,
    }


def ladder(found: Entry, steps: Sequence[tuple[Stage, datetime, Outcome | None]]) -> dict[str, Any]:
    """One event with every rung it reached, oldest first."""
    return {
        **entry(found),
        "ladder": [
            {
                "stage": stage,
                "at": instant(at),
                "outcome": None if outcome is None else outcome.model_dump(mode="json"),
            }
            for stage, at, outcome in steps
        ],
    }
