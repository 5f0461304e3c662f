"""What the commands of ``edge-agent`` have in common: options, and ways to print.

A command loads what it needs when it runs and not before: ``edge-agent decode`` is called by
scripts, thousands of times, and must not wait for the parts of the agent.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_agent.places import DEFAULT_PATH as DEFAULT_PATH

if TYPE_CHECKING:
    from rich.console import RenderableType

ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", envvar="EDGE_AGENT_CONFIG", help="The TOML file.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")]


def socket_of(config: Path) -> Path:
    """The local socket of the agent with that configuration."""
    from edge_agent import config as configuration

    return configuration.load(config).status.socket


def show(
    items: Iterable[Any], table: Callable[[Iterable[Any]], RenderableType], as_json: bool
) -> None:
    """Print ``items`` as one JSON list, or as the table made of them."""
    if as_json:
        print_json([list(items)])
    else:
        print_rich(table(items))


def print_rich(shown: RenderableType) -> None:
    """Print something made of rich's parts: whole words in a terminal, whole lines in a file."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:  # a script or a file has no width to wrap at
        console = Console(width=400)
    console.print(shown)


def print_json(items: Iterable[Any]) -> None:
    """Print each item as one line of JSON."""
    for item in items:
        print(json.dumps(item, ensure_ascii=False))  # noqa: T201 - what was asked for


def each_second(work: Callable[[], None], again: bool) -> None:
    """Do it once, or once a second until interrupted."""
    work()
    while again:
        time.sleep(1)
        work()
