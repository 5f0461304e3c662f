"""How a device on a line is: shown at once, put on record when it changes.

A loose contact changes it every second for weeks. So only so many changes are put on record; of the
others the one that lasts is, as soon as there is room again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from edge_agent.devices.holding import Holding
from edge_agent.devices.links import Clock, Health, Tally
from edge_agent.devices.presence.presence import state_reading

Status = Literal["online", "offline", "fault"]

#: Changes that may be put on record at once, and how long one of them takes to come back.
BURST = 30
REFILL_S = 120.0
#: Characters of a detail that go on record.
_LONGEST = 500
_HEALTH: dict[Status, Health] = {"online": "up", "offline": "down", "fault": "fault"}


class Standing:
    """The ``device.state`` of one device. Belongs to its link's thread."""

    def __init__(
        self,
        device: str,
        tally: Tally,
        holding: Holding,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._device = device
        self._tally, self._holding, self._clock = tally, holding, clock
        self._told: tuple[Status, str] | None = None
        """What is on record."""
        self._now: tuple[Status, str] | None = None
        """What was told last, recorded or not."""
        self._monotonic = monotonic
        self._room, self._filled = float(BURST), monotonic()

    @property
    def status(self) -> Status | None:
        """What was told last; ``None``: nothing yet."""
        return self._now[0] if self._now else None

    def tell(self, status: Status, detail: str = "", shown: str | None = None) -> None:
        """Show it, with the details of the moment (``shown``) where they differ from what goes on
        record. A new fault is news; that a port which is gone fails in another way is not."""
        detail = _sentence(detail)
        self._show(status, detail, shown)
        news = (status, detail if status == "fault" else "")
        changed, self._now = news != self._now, news
        if news != self._told and self._has_room(changed):
            self._told = news
            reading = state_reading(self._device, status, self._clock(), detail=detail)
            self._holding.store(reading)
            self._show(status, detail, shown)  # storing it may have been refused meanwhile

    def _has_room(self, changed: bool) -> bool:
        now = self._monotonic()
        self._room = min(BURST, self._room + (now - self._filled) / REFILL_S)
        self._filled = now
        if self._room >= 1:
            self._room -= 1
            return True
        if changed:
            self._tally.count("changes_not_recorded")
        return False

    def _show(self, status: Status, detail: str, shown: str | None) -> None:
        self._tally.set(_HEALTH[status], detail if shown is None else shown)
        if status == "offline":
            self._tally.blank()


def _sentence(said: str) -> str:
    """As the contract takes it, whatever a device put into it."""
    printable = "".join(
        sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in said
    )
    return printable[:_LONGEST]
