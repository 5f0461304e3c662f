"""The campaign's figures, for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich.table import Table

from edge_sandbox.chaos.campaign import Run


@dataclass(slots=True)
class Report:
    """All runs of a campaign."""

    runs: list[Run] = field(default_factory=list)
    miscounted: str = ""

    @property
    def failed(self) -> list[Run]:
        return [run for run in self.runs if not run.ok]

    @property
    def ok(self) -> bool:
        """Somebody died, and nothing was lost, doubled, out of order or unaccounted for."""
        return any(run.died for run in self.runs) and not (self.failed or self.miscounted)

    def groups(self) -> dict[str, list[Run]]:
        """The runs by process and sort of point."""
        found: dict[str, list[Run]] = {}
        for run in self.runs:
            found.setdefault(group_of(run), []).append(run)
        return found

    def as_json(self) -> dict[str, Any]:
        """Totals, totals by group, and every run that failed."""
        return {
            **_figures(self.runs),
            "miscounted": self.miscounted,
            "groups": {name: _figures(runs) for name, runs in self.groups().items()},
            "failed": [
                {
                    "point": str(run.point),
                    "died_at": run.died_at,
                    "lost": [str(event) for event in run.lost],
                    "duplicated": [str(event) for event in run.doubled],
                    "out_of_order": run.disorder,
                    "incomplete": run.incomplete,
                }
                for run in self.failed
            ],
        }

    def table(self) -> Table:
        table = Table(title="killed with kill -9, started again")
        table.add_column("where")
        columns = "points", "died", "events", "lost", "duplicated", "out of order", "incomplete"
        for name in (*columns, "recovery s, median", "max"):
            table.add_column(name, justify="right")
        for name, runs in {**self.groups(), "all": self.runs}.items():
            table.add_row(name, *(str(figure) for figure in _figures(runs).values()))
        return table


def group_of(run: Run) -> str:
    point = run.point
    if not point.place:
        sort = "callbacks"
    else:
        sort = "awaits" if point.place.startswith("await:") else "named places"
    return f"{point.process}, {'starting, ' if point.starting else ''}{sort}"


def line_of(run: Run) -> str:
    """One run in a line."""
    if not run.died:
        what = "not reached"
    elif run.ok:
        what = f"nothing lost or doubled, recovered in {run.recovery_s:.2f} s"
    else:
        what = (
            f"LOST {len(run.lost)}, DUPLICATED {len(run.doubled)}, OUT OF ORDER {run.disorder}; "
            + "; ".join(run.incomplete[:3])
        )
    at = "" if run.died_at in ("", run.point.place) else f" at {short(run.died_at)}"
    point = short(str(run.point)) if run.ok else str(run.point)
    return f"{point}{at}: {what}"


def short(place: str) -> str:
    """The ends of a long chain of awaits."""
    steps = place.split(">")
    return place if len(steps) < 3 else f"{steps[0]}>…>{steps[-1]}"


def _figures(runs: Sequence[Run]) -> dict[str, Any]:
    died = [run for run in runs if run.died]
    recoveries = [run.recovery_s for run in died] or [0.0]
    return {
        "points": len(runs),
        "died": len(died),
        "confirmed": _sum(run.confirmed for run in runs),
        "lost": _sum(len(run.lost) for run in runs),
        "duplicated": _sum(len(run.doubled) for run in runs),
        "out_of_order": _sum(run.disorder for run in runs),
        "incomplete": _sum(bool(run.incomplete) for run in runs),
        "recovery_s_median": round(median(recoveries), 2),
        "recovery_s_max": round(max(recoveries), 2),
    }


def _sum(numbers: Iterable[int]) -> int:
    return sum(numbers)
