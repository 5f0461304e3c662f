"""Run the benchmarks: ``python -m benchmarks [--only NAME …] [--quick] [--json FILE]``.

Figures are ratios taken in one run, both sides in turns, because machines differ and the same one
differs by the hour. The exit status is 0 whether or not an aim was met: 1 says that a benchmark
failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import append, apply, decode, idle_devices, intake, latency, memory, uplink
from benchmarks.figures import (
    HEADINGS,
    Figure,
    cells,
    conditions,
    filled,
    from_json,
    markdown,
    missed,
    to_json,
)
from benchmarks.stage import Stage, filesystem

Run = Callable[[Stage], list[Figure]]

#: By name, in the order they are run.
BENCHMARKS: dict[str, Run] = {
    "intake": intake.run,
    "uplink": uplink.run,
    "append": append.run,
    "memory": memory.run,
    "apply": apply.run,
    "latency": latency.run,
    "decode": decode.run,
    "idle-devices": idle_devices.run,
}


def main(arguments: Sequence[str] | None = None) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is stopped
    options = _options(arguments)
    out, err = Console(), Console(stderr=True)
    if not out.is_terminal:
        out.width = 160  # a log or a file has no width of its own
    if options.of is not None:
        run = json.loads(options.of.read_text(encoding="utf-8"))
    else:
        run = _run(options, err)
    _show(run, out)
    if options.json is not None:
        options.json.write_text(json.dumps(run, indent=2, ensure_ascii=False) + "\n")
    if options.markdown is not None:
        page = options.markdown.read_text() if options.markdown.exists() else ""
        options.markdown.write_text(filled(page, markdown(run)))
    return 1 if any(bench["error"] for bench in run["benchmarks"]) else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(BENCHMARKS), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="small sizes: a look, no figures")
    parser.add_argument("--json", type=Path, help="write the run into this file")
    parser.add_argument("--markdown", type=Path, help="write the table here, between its marks")
    parser.add_argument("--from", dest="of", type=Path, help="show a run that --json wrote")
    parser.add_argument(
        "--directory", type=Path, default=Path("/var/tmp"), help="where data is put: a real disk"
    )
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, err: Console) -> dict[str, Any]:
    run: dict[str, Any] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "quick": options.quick,
        "machine": {
            "cores": os.cpu_count(),
            "cpu": _cpu(),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "filesystem": filesystem(options.directory),
        },
        "benchmarks": [],
    }
    with (
        err.status("begins") as status,
        Stage(options.quick, options.directory, lambda text: status.update(text)) as stage,
    ):
        for name in options.only or BENCHMARKS:
            run["benchmarks"].append(_bench(name, stage, err))
    return run


def _bench(name: str, stage: Stage, err: Console) -> dict[str, Any]:
    load, begin = os.getloadavg()[0], time.monotonic()
    figures: list[Figure] = []
    error = ""
    try:
        figures = BENCHMARKS[name](stage)
    except Exception as failure:  # noqa: BLE001 - the others are still worth their time
        error = f"{type(failure).__name__}: {failure}"
        err.print_exception()
    seconds = time.monotonic() - begin
    err.print(f"{name}: {seconds:.0f} s, load average {load:.1f} before", highlight=False)
    return {
        "name": name,
        "seconds": round(seconds, 1),
        "load_before": load,
        "error": error,
        "figures": [to_json(figure) for figure in figures],
    }


def _show(run: dict[str, Any], out: Console) -> None:
    table = Table(title="warehouse-edge, as ratios taken in one run", caption=conditions(run))
    for heading in HEADINGS:
        table.add_column(heading, justify="left")
    colours = {"met": "[green]met[/]", "missed": "[red]missed[/]", "": ""}
    every = []
    for bench in run["benchmarks"]:
        figures = [from_json(row) for row in bench["figures"]]
        every += figures
        for figure in figures:
            table.add_row(*cells(figure)[:-1], colours[figure.verdict])
        if bench["error"]:
            table.add_row(bench["name"], bench["error"], "", "", "", "[red]failed[/]")
        table.add_section()
    out.print(table)
    if short := missed(every):
        out.print(f"Missed: {'; '.join(short)}.")


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
