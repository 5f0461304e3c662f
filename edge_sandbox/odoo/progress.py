"""What the sandbox says while it works: the step it is in and how far the whole is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

#: Called with the step in words and the fraction of the whole that is done, 0 to 1.
Report = Callable[[str, float], None]

#: The steps of a first start and their share of it, in seconds on two cores.
STEPS = {
    "looking at the machine": 1.0,
    "asking the mirror for Odoo": 4.0,
    "downloading Odoo": 8.0,
    "unpacking Odoo": 14.0,
    "building Odoo's Python environment": 45.0,
    "starting PostgreSQL": 4.0,
    "making the template database": 75.0,
    "starting Odoo": 8.0,
}


def silent(step: str, fraction: float) -> None:
    """A :data:`Report` that says nothing."""


class Progress:
    """Turns steps into a fraction of the whole. A step that was done before costs nothing."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._done = 0.0
        self._total = sum(STEPS.values())

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Callable[[float], None]]:
        """Announce a step; call what it yields with the part of the step that is done."""
        share = STEPS[name]
        self._report(name, self._done / self._total)
        yield lambda part: self._report(
            name, (self._done + share * min(max(part, 0.0), 1.0)) / self._total
        )
        self._done += share
        self._report(name, min(self._done / self._total, 1.0))
