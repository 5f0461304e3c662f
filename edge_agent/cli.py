"""``edge-agent``: run the agent, and ask a running one."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.live import Live

from edge_agent import config as configuration
from edge_agent import view
from edge_agent.report import Report
from edge_agent.status import ask
from edge_contract.errors import EdgeError
from edge_contract.toml_errors import ConfigurationError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The agent on a warehouse host: stores every event before it acknowledges it, and syncs.",
)
outbox_app = typer.Typer(no_args_is_help=True, help="Look at stored events and their outcomes.")
quarantine_app = typer.Typer(no_args_is_help=True, help="Look at input that made no sense.")
config_app = typer.Typer(no_args_is_help=True, help="Check the configuration, or begin one.")
app.add_typer(outbox_app, name="outbox")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(config_app, name="config")

ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", envvar="EDGE_AGENT_CONFIG", help="The TOML file.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")]
AlwaysJson = Annotated[bool, typer.Option("--json", hidden=True, help="It is JSON in any case.")]
Stage = Annotated[str | None, typer.Option(help="Only this rung, e.g. held, stored, rejected.")]
After = Annotated[int, typer.Option(help="Begin after this position or number.")]
Limit = Annotated[int, typer.Option(help="At most so many.")]

_DEFAULT = configuration.DEFAULT_PATH


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"edge-agent {version('warehouse-edge')}")  # noqa: T201 - what was asked for
        raise typer.Exit


@app.callback()
def common(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    """Options of every command."""


@app.command()
def run(config: ConfigPath = _DEFAULT) -> None:
    """Run the agent in the foreground until SIGTERM or Ctrl-C.

    Example: edge-agent run --config ./agent.toml
    """
    from edge_agent.app import serve  # what the other commands need not load

    raise typer.Exit(serve(configuration.load(config)))


@app.command()
def status(
    config: ConfigPath = _DEFAULT,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep showing it.")] = False,
    as_json: AsJson = False,
) -> None:
    """What the running agent does, and what needs a look.

    Examples: edge-agent status · edge-agent status --watch · edge-agent status --json | jq .outbox
    """
    socket = _socket(config)

    def look() -> dict[str, Any]:
        (report,) = ask(socket, "status")
        return dict(report)

    if as_json:
        _each_second(lambda: _print_json([look()]), watch)
        return
    console = Console()
    if not watch:
        console.print(view.status_view(Report.model_validate(look())))
        return
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        _each_second(
            lambda: live.update(view.status_view(Report.model_validate(look())), refresh=True),
            watch,
        )


@outbox_app.command("list")
def outbox_list(
    config: ConfigPath = _DEFAULT,
    stage: Stage = None,
    after: After = 0,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """Stored events, oldest first.

    Example: edge-agent outbox list --stage held
    """
    rows = ask(_socket(config), "outbox.list", stage=stage, after=after, limit=limit)
    _show(rows, view.rows_view, as_json)


@outbox_app.command("show")
def outbox_show(
    device: str, event: str, config: ConfigPath = _DEFAULT, _as_json: AlwaysJson = True
) -> None:
    """One event with everything known about it, as JSON.

    Example: edge-agent outbox show handheld-1 01938f2e-7d5c-7abc-8def-0123456789ab
    """
    (row,) = ask(_socket(config), "outbox.show", device=device, event=event)
    print(json.dumps(row, indent=2, ensure_ascii=False))  # noqa: T201 - what was asked for


@outbox_app.command("export")
def outbox_export(config: ConfigPath = _DEFAULT, stage: Stage = None, after: After = 0) -> None:
    """Every stored event with its outcome, one JSON document a line.

    Example: edge-agent outbox export > events.ndjson
    """
    _print_json(ask(_socket(config), "outbox.export", stage=stage, after=after))


@quarantine_app.command("list")
def quarantine_list(
    config: ConfigPath = _DEFAULT, after: After = 0, limit: Limit = 100, as_json: AsJson = False
) -> None:
    """What could not be understood, oldest first, with the reason.

    Example: edge-agent quarantine list
    """
    entries = ask(_socket(config), "quarantine.list", after=after, limit=limit)
    _show(entries, view.quarantine_view, as_json)


@quarantine_app.command("show")
def quarantine_show(number: int, config: ConfigPath = _DEFAULT, as_json: AsJson = False) -> None:
    """One entry with its bytes (in base64 with --json).

    Example: edge-agent quarantine show 17
    """
    (entry,) = ask(_socket(config), "quarantine.show", number=number)
    if as_json:
        _print_json([entry])
    else:
        Console().print(view.payload_view(entry))


@config_app.command("check")
def config_check(config: ConfigPath = _DEFAULT) -> None:
    """Check the file and the secrets it names, and connect to nothing. Exit 2 when it is wrong.

    Example: edge-agent config check --config ./agent.toml
    """
    from edge_agent.app import check_secrets

    loaded = configuration.load(config)
    check_secrets(loaded)
    print(f"{config} is in order: site {loaded.site.name}, agent {loaded.site.agent}.")  # noqa: T201


@config_app.command("example")
def config_example() -> None:
    """Print a commented configuration to begin with.

    Example: edge-agent config example > agent.toml
    """
    print(configuration.example(), end="")  # noqa: T201 - what was asked for


def main() -> None:
    """The console script: errors are one sentence on stderr; 2 for configuration, else 1."""
    try:
        app()
    except EdgeError as error:
        print(f"edge-agent: {error}", file=sys.stderr)  # noqa: T201
        wrong = isinstance(error, ConfigurationError) or getattr(error, "code", "") in _WRONG
        sys.exit(2 if wrong else 1)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)


#: Codes of ``NeedsOperator`` that mean the configuration.
_WRONG = frozenset({"configuration", "secret"})


def _socket(config: Path) -> Path:
    return configuration.load(config).status.socket


def _show(
    items: Iterable[Any], table: Callable[[Iterable[Any]], RenderableType], as_json: bool
) -> None:
    if as_json:
        _print_json([list(items)])
    else:
        Console().print(table(items))


def _print_json(items: Iterable[Any]) -> None:
    for item in items:
        print(json.dumps(item, ensure_ascii=False))  # noqa: T201 - what was asked for


def _each_second(work: Callable[[], None], again: bool) -> None:
    work()
    while again:
        time.sleep(1)
        work()
