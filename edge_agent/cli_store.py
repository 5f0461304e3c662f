"""``edge-agent outbox`` and ``edge-agent quarantine``: what a running agent has stored."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from edge_agent.cli_options import (
    DEFAULT_PATH,
    AsJson,
    ConfigPath,
    print_json,
    print_rich,
    show,
    socket_of,
)

outbox_app = typer.Typer(no_args_is_help=True, help="Look at stored events and their outcomes.")
quarantine_app = typer.Typer(no_args_is_help=True, help="Look at input that made no sense.")

AlwaysJson = Annotated[bool, typer.Option("--json", hidden=True, help="It is JSON in any case.")]
Stage = Annotated[str | None, typer.Option(help="Only this rung, e.g. held, stored, rejected.")]
After = Annotated[int, typer.Option(help="Begin after this position or number.")]
Limit = Annotated[int, typer.Option(help="At most so many.")]


@outbox_app.command("list")
def outbox_list(
    config: ConfigPath = DEFAULT_PATH,
    stage: Stage = None,
    after: After = 0,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """Stored events, oldest first.

    Example: edge-agent outbox list --stage held
    """
    from edge_agent import view
    from edge_agent.status import ask

    rows = ask(socket_of(config), "outbox.list", stage=stage, after=after, limit=limit)
    show(rows, view.rows_view, as_json)


@outbox_app.command("show")
def outbox_show(
    device: str, event: str, config: ConfigPath = DEFAULT_PATH, _as_json: AlwaysJson = True
) -> None:
    """One event with everything known about it, as JSON.

    Example: edge-agent outbox show handheld-1 01938f2e-7d5c-7abc-8def-0123456789ab
    """
    from edge_agent.status import ask

    (row,) = ask(socket_of(config), "outbox.show", device=device, event=event)
    print(json.dumps(row, indent=2, ensure_ascii=False))  # noqa: T201 - what was asked for


@outbox_app.command("export")
def outbox_export(config: ConfigPath = DEFAULT_PATH, stage: Stage = None, after: After = 0) -> None:
    """Every stored event with its outcome, one JSON document a line.

    Example: edge-agent outbox export > events.ndjson
    """
    from edge_agent.status import ask

    print_json(ask(socket_of(config), "outbox.export", stage=stage, after=after))


@quarantine_app.command("list")
def quarantine_list(
    config: ConfigPath = DEFAULT_PATH, after: After = 0, limit: Limit = 100, as_json: AsJson = False
) -> None:
    """What could not be understood, oldest first, with the reason.

    Example: edge-agent quarantine list
    """
    from edge_agent import view
    from edge_agent.status import ask

    entries = ask(socket_of(config), "quarantine.list", after=after, limit=limit)
    show(entries, view.quarantine_view, as_json)


@quarantine_app.command("show")
def quarantine_show(
    number: int, config: ConfigPath = DEFAULT_PATH, as_json: AsJson = False
) -> None:
    """One entry with its bytes (in base64 with --json).

    Example: edge-agent quarantine show 17
    """
    from edge_agent import view
    from edge_agent.status import ask

    (entry,) = ask(socket_of(config), "quarantine.show", number=number)
    if as_json:
        print_json([entry])
    else:
        print_rich(view.payload_view(entry))
