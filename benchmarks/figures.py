"""What a benchmark found: figures, their aims, and how they are written down. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

#: Between these lines of a page the figures stand.
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


@dataclass(frozen=True, slots=True)
class Aim:
    """A bound for a figure, or for its ratio to the baseline."""

    of: Literal["ratio", "ours"]
    sign: Literal["≥", "≤"]
    bound: float

    def met(self, value: float) -> bool:
        return value >= self.bound if self.sign == "≥" else value <= self.bound


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. ``ratio`` is ours to the baseline's."""

    what: str
    unit: str
    ours: float
    baseline: float | None = None
    against: str = ""
    """What the baseline is, in words."""
    ratio: float | None = None
    lowest: float | None = None
    highest: float | None = None
    """The ratio's range over the repetitions."""
    aim: Aim | None = None

    @property
    def verdict(self) -> Literal["met", "missed", ""]:
        if self.aim is None:
            return ""
        value = self.ratio if self.aim.of == "ratio" else self.ours
        return "met" if value is not None and self.aim.met(value) else "missed"


def paired(
    what: str,
    unit: str,
    ours: Sequence[float],
    baseline: Sequence[float],
    against: str,
    aim: Aim | None = None,
) -> Figure:
    """A figure of repetitions in which both sides took turns.

    The ratio is the median of the repetitions' ratios: what else the machine did meanwhile
    touched both sides of one repetition, and cancels out.
    """
    ratios = [one / other for one, other in zip(ours, baseline, strict=True)]
    return Figure(
        what,
        unit,
        statistics.median(ours),
        statistics.median(baseline),
        against,
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        aim,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the least value that ``share`` of all do not exceed."""
    if not values:
        raise ValueError("there is nothing to take a percentile of")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def number(value: float | None) -> str:
    """Three significant digits, thousands with commas."""
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{value:.{min(digits, 4)}f}"


def cells(figure: Figure) -> list[str]:
    """What stands in the columns of :data:`HEADINGS`."""
    ratio = number(figure.ratio)
    if figure.lowest is not None and figure.lowest != figure.highest:
        ratio += f" ({number(figure.lowest)} to {number(figure.highest)})"
    aim = ""
    if figure.aim is not None:
        unit = "×" if figure.aim.of == "ratio" else f" {figure.unit}"
        aim = f"{figure.aim.sign} {figure.aim.bound:g}{unit}"
    ours = f"{number(figure.ours)} {figure.unit}"
    baseline = f"{number(figure.baseline)} {figure.against}".strip()
    return [figure.what, ours, baseline, ratio, aim, figure.verdict]


HEADINGS = ("figure", "ours", "baseline", "ratio (range)", "aim", "")


def markdown(run: dict[str, Any]) -> str:
    """The table of a whole run (as ``--json`` writes it), with what it ran on."""
    figures = [from_json(row) for bench in run["benchmarks"] for row in bench["figures"]]
    rows = [HEADINGS, ("---",) * len(HEADINGS), *map(cells, figures)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([conditions(run), "", *lines, ""])


def conditions(run: dict[str, Any]) -> str:
    """What a run ran on, in a sentence."""
    on = run["machine"]
    busiest = max((bench["load_before"] for bench in run["benchmarks"]), default=0.0)
    size = "quick sizes, for a look only" if run["quick"] else "full sizes"
    return (
        f"{run['date']}, {size}: {on['cores']} cores, Python {on['python']}, "
        f"SQLite {on['sqlite']}, data on {on['filesystem']}; "
        f"load average before a benchmark at most {busiest:.1f}."
    )


def filled(page: str, table: str) -> str:
    """The page with the table between its two marks; the table alone for a page without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        return table
    return f"{before}{BEGIN}\n{table}{END}{after}"


def to_json(figure: Figure) -> dict[str, Any]:
    aim = figure.aim
    return {
        "what": figure.what,
        "unit": figure.unit,
        "ours": figure.ours,
        "baseline": figure.baseline,
        "against": figure.against,
        "ratio": figure.ratio,
        "lowest": figure.lowest,
        "highest": figure.highest,
        "aim": None if aim is None else {"of": aim.of, "sign": aim.sign, "bound": aim.bound},
        "verdict": figure.verdict,
    }


def from_json(row: dict[str, Any]) -> Figure:
    values = {name: value for name, value in row.items() if name not in ("aim", "verdict")}
    return Figure(**values, aim=Aim(**row["aim"]) if row["aim"] else None)


def missed(figures: Iterable[Figure]) -> list[str]:
    """What the figures that missed their aim are called."""
    return [figure.what for figure in figures if figure.verdict == "missed"]
