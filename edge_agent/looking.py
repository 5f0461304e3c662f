"""A look at one link for some seconds, as items that can be written as JSON.

``received`` and ``sent`` are bytes, ``decoded`` is what was understood, ``state`` is how the link
is (first of all, and whenever it changes), ``lost`` counts what came too fast to be shown, and
``quiet`` comes each second in which nothing else did, so that neither end takes the other for gone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Any

from edge_agent.devices.links import Link, LinkState
from edge_agent.devices.live import Live, Look
from edge_contract.errors import Rejected

#: Seconds between two looks.
_STEP_S = 0.1
_QUIET_S = 1.0


def is_wrong(item: Mapping[str, Any]) -> bool:
    """Whether what was decoded made no sense, or is a silence."""
    said = item["said"]
    failed = said.get("status") == "error" or said.get("answered") is False
    return failed or item["kind"] == "unreadable"


class Watcher:
    """Turns looks at a link into items."""

    def __init__(self, link: Link, look: Look, clock: Callable[[], datetime]) -> None:
        self._link, self._look, self._clock = link, look, clock
        self._told: tuple[str, str, str] | None = None

    def items(self) -> list[dict[str, Any]]:
        """What is new."""
        seen, lost = self._look.take()
        found = [one.document() for one in seen]
        if lost:
            found.append({"what": "lost", "count": lost})
        state = self._link.state()
        told = (state.health, state.detail, state.showing)
        if told != self._told:
            self._told = told
            found.append(_state(state, self._clock()))
        return found


async def looked_at(
    link: Link, live: Live, seconds: float, clock: Callable[[], datetime]
) -> AsyncIterator[dict[str, Any]]:
    """For the agent's socket. Raises ``Rejected`` when too many look already."""
    try:
        with live.look(link.name) as look:
            watcher = Watcher(link, look, clock)
            deadline = time.monotonic() + seconds
            heard = time.monotonic()
            while (now := time.monotonic()) < deadline:
                for item in watcher.items():
                    heard = now
                    yield item
                if now - heard >= _QUIET_S:
                    heard = now
                    yield {"what": "quiet"}
                await asyncio.sleep(min(_STEP_S, max(0.0, deadline - now)))
            for item in watcher.items():
                yield item
    except ValueError as error:
        raise Rejected("too-many-looks", f"{error}.") from None


def _state(state: LinkState, now: datetime) -> dict[str, Any]:
    return {
        "what": "state",
        "time": now.isoformat(),
        "health": state.health,
        "detail": state.detail,
        "showing": state.showing,
    }
