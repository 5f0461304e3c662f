"""The runner: ``python -m edge_sandbox.chaos``."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_sandbox.chaos import points
from edge_sandbox.chaos.campaign import Campaign, Point
from edge_sandbox.chaos.report import Report, line_of
from edge_sandbox.chaos.site import Process
from edge_sandbox.chaos.stage import counted, in_odoo
from edge_sandbox.odoo import Sandbox

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(
    epilog="Examples:  python -m edge_sandbox.chaos  ·  python -m edge_sandbox.chaos --all  ·  "
    "python -m edge_sandbox.chaos --process agent --callback 37  ·  "
    "python -m edge_sandbox.chaos --process relay --place inbox.after_commit:2 --odoo"
)
def main(
    every: Annotated[bool, typer.Option("--all", help="Every point, not a sample.")] = False,
    odoo: Annotated[bool, typer.Option(help="Apply to a real Odoo; kills the relay only.")] = False,
    most: Annotated[int, typer.Option(help="Without --all: about so many points.")] = 64,
    process: Annotated[str | None, typer.Option(help="Only agent or relay.")] = None,
    callback: Annotated[int, typer.Option(help="One point: die at this callback.")] = 0,
    place: Annotated[str, typer.Option(help="One point: NAME:PASSING of a place.")] = "",
    starting: Annotated[bool, typer.Option(help="With --callback: count from the start.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write figures here.")] = None,
) -> None:
    """Kill agent and relay with SIGKILL at every await and named place of the path of events, start
    them again, and look for events that were lost or doubled. Exit status 1 when there are any."""
    console = Console(soft_wrap=True)
    if process not in (None, "agent", "relay"):
        raise typer.BadParameter("--process is agent or relay.")
    processes: tuple[Process, ...] = ("relay",) if odoo else ("agent", "relay")
    if process is not None:
        processes = (process,)  # type: ignore[assignment]  # checked above
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, _stage(Path(folder), odoo) as made:
        if callback or place:
            walk: Sequence[Point] = [_one(processes[0], callback, place, starting)]
        else:
            walk = _all(made, processes, Path(folder), odoo)
            walk = walk if every else points.sample(walk, most)
        report = Report()
        for number, point in enumerate(walk, 1):
            report.runs.append(made.run(point))
            console.print(f"{number}/{len(walk)} {line_of(report.runs[-1])}", highlight=False)
        report.miscounted = made.miscounted()
    Console(width=max(console.width, 140)).print(report.table())
    console.print(f"{time.monotonic() - began:.0f} s. {report.miscounted}")
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(), indent=2), encoding="utf-8")
    raise typer.Exit(0 if report.ok else 1)


def _one(process: Process, callback: int, place: str, starting: bool) -> Point:
    """A point as a report names it."""
    name, _, passing = place.rpartition(":")
    if name and passing.isdigit():
        return Point(process, callback, name, int(passing), starting)
    return Point(process, callback, place, starting=starting)


@contextmanager
def _stage(folder: Path, odoo: bool) -> Iterator[Campaign]:
    if not odoo:
        with counted(folder) as campaign:
            yield campaign
        return
    with Sandbox() as sandbox, sandbox.start() as server:
        database = server.clone(label="chaos")
        try:
            with in_odoo(folder, database) as campaign:
                yield campaign
        finally:
            database.close()
            sandbox.drop(database.name)


def _all(campaign: Campaign, processes: Sequence[Process], folder: Path, odoo: bool) -> list[Point]:
    walk: list[Point] = []
    for process in processes:
        path = campaign.calibrate(process, folder / f"{process}.path")
        start = campaign.calibrate(process, folder / f"{process}.start", starting=True)
        walk += points.every(process, path, start, odoo=odoo)
    return walk


if __name__ == "__main__":
    app()
