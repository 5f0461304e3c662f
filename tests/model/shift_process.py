"""Processes that are no processes: they die at named places, and share one clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest

from edge_contract import killpoint


class Crash(BaseException):
    """The process ends here. Nothing in the product may catch it."""


@contextmanager
def dying_at(place: str | None) -> Iterator[None]:
    """The next time the named place is reached, a process ends there."""

    def reached(name: str) -> None:
        if name == place:
            raise Crash(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(killpoint, "reached", reached)
        yield


class WorldClock:
    """The time of day, and seconds that only grow; both move when the test says so."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self._start = start

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return (self.now - self._start).total_seconds()

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
