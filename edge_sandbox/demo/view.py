"""The shift as it happens: a live screen on a terminal, plain lines everywhere else."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from edge_sandbox.demo.verdict import Verdict

#: What is shown of each part: its name and the word for how it is.
Figures = dict[str, str]

_COLOURS = {"fault": "bold red", "device": "yellow", "demo": "cyan"}


class View(Protocol):
    """Hears what happens; shows it somehow."""

    def step(self, what: str) -> None:
        """A step of the preparation or of the end begins."""
        ...

    def tell(self, who: str, what: str) -> None:
        """Somebody did something."""
        ...

    def show(self, figures: Figures, part: float) -> None:
        """The state of things, and how much of the shift is over (0 to 1)."""
        ...


class PlainView:
    """A line for each step, fault and every fifth second: for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._start = time.monotonic()
        self._shown = 0.0

    def __enter__(self) -> PlainView:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def step(self, what: str) -> None:
        self._say(what)

    def tell(self, who: str, what: str) -> None:
        if who in _COLOURS:
            self._say(f"{who}: {what}")

    def show(self, figures: Figures, part: float) -> None:
        if time.monotonic() - self._shown < 5:
            return
        self._shown = time.monotonic()
        words = ", ".join(f"{name} {value}" for name, value in figures.items())
        self._say(f"{part:4.0%} of the shift: {words}")

    def _say(self, what: str) -> None:
        self._console.print(
            f"{time.monotonic() - self._start:7.1f} s  {what}", markup=False, highlight=False
        )


class LiveView:
    """The whole site on one screen, drawn anew a few times a second."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=8, transient=True)
        self._console = console
        self._lines: deque[Text] = deque(maxlen=14)
        self._figures: Figures = {}
        self._part = 0.0
        self._step = ""
        self._start = time.monotonic()

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def step(self, what: str) -> None:
        self._step = what
        self._console.print(
            f"[dim]{time.monotonic() - self._start:7.1f} s[/]  {what}", highlight=False
        )
        self._draw()

    def tell(self, who: str, what: str) -> None:
        self._lines.append(
            Text.assemble(
                (f"{time.monotonic() - self._start:7.1f} s  ", "dim"),
                (f"{who:8} ", _COLOURS.get(who, "green")),
                what,
                overflow="ellipsis",
                no_wrap=True,
            )
        )
        self._draw()

    def show(self, figures: Figures, part: float) -> None:
        self._figures, self._part = figures, part
        self._draw()

    def _draw(self) -> None:
        if not self._figures:
            return
        table = Table.grid(padding=(0, 3))
        names = list(self._figures)
        for start in range(0, len(names), 4):
            cells: list[Text] = []
            for name in names[start : start + 4]:
                value = self._figures[name]
                cells += [Text(name, style="dim"), Text(value, style=_style(value))]
            table.add_row(*cells)
        self._live.update(
            Group(
                Panel(table, title=f"warehouse shift · {self._step}"),
                ProgressBar(total=1.0, completed=min(1.0, self._part)),
                Panel(Group(*self._lines), title="what happens", height=16),
            )
        )


def _style(value: str) -> str:
    if value.startswith(("up", "open", "online", "ok")):
        return "green"
    if value.startswith(("down", "killed", "cut", "refused", "away", "unreachable")):
        return "bold red"
    return "bold"


def print_verdict(console: Console, verdict: Verdict, failures: list[str]) -> None:
    """The figures of the shift with what they mean, and what is wrong when something is."""
    table = Table(title="What became of every event", title_justify="left")
    table.add_column("figure")
    table.add_column("", justify="right")
    table.add_column("meaning", style="dim")
    meanings = {
        "acked": "confirmed `stored` to the device that scanned, a serial scanner by its beep",
        "taken": "acknowledged by the broker to an app that the agent never answers",
        "applied": "have their effect in Odoo",
        "held": "refused with a sentence, on the list of a person",
        "refused": "given up on the record",
        "traced": "raw reads in the outbox, without an effect in Odoo",
        "lost": "acknowledged and gone",
        "duplicated": "booked in Odoo more often than they happened",
        "stock_mismatches": "places where Odoo and the shelf disagree",
        "out_of_order": "overtook another event of the same device or document",
        "agent_kills": "kill -9 of the agent",
        "relay_kills": "kill -9 of the relay",
        "uplink_cut_s": "seconds without uplink",
        "seconds": "from the first scan to the last effect",
    }
    must_be_zero = ("lost", "duplicated", "stock_mismatches", "out_of_order")
    for name, meaning in meanings.items():
        value = getattr(verdict, name)
        style = ("bold red" if value else "bold green") if name in must_be_zero else ""
        shown = f"{value:.1f}" if isinstance(value, float) else str(value)
        table.add_row(name.replace("_", " "), Text(shown, style=style), meaning)
    console.print(table)
    classes = ", ".join(f"{name} {count}" for name, count in verdict.heard.items())
    console.print(f"Events in the outbox by class of device: {classes}", highlight=False)
    for detail in verdict.details[:20]:
        console.print(f"  {detail}", markup=False, highlight=False)
    if len(verdict.details) > 20:
        console.print(f"  … and {len(verdict.details) - 20} more (all of them with --json)")
    if failures:
        console.print(f"[bold red]Failed:[/] {', '.join(failures)}.")
    else:
        console.print("[bold green]Every acknowledged event had exactly one effect, in order.[/]")
