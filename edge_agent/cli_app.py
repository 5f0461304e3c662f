"""The commands of ``edge-agent``: run the agent, ask a running one, look after its devices.

Each group of commands is a module of its own (``cli_*.py``), mounted here. What a command needs it
imports when it runs.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from edge_agent.cli_devices import devices_app
from edge_agent.cli_options import (
    DEFAULT_PATH,
    AsJson,
    ConfigPath,
    each_second,
    print_json,
    socket_of,
)
from edge_agent.cli_print import print_label
from edge_agent.cli_profiles import profiles_app
from edge_agent.cli_simulate import simulate_app
from edge_agent.cli_store import outbox_app, quarantine_app

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # paragraphs of docstrings flow with the terminal
    help="The agent on a warehouse host: stores every event before it acknowledges it, and syncs.",
)
config_app = typer.Typer(no_args_is_help=True, help="Check the configuration, or begin one.")

# Groups, in the order of --help.
app.add_typer(config_app, name="config")
app.add_typer(devices_app, name="devices")
app.add_typer(profiles_app, name="profiles")
app.add_typer(simulate_app, name="simulate")
app.add_typer(outbox_app, name="outbox")
app.add_typer(quarantine_app, name="quarantine")
app.command("print")(print_label)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def decode(context: typer.Context) -> None:
    """What one frame of a device means: see edge-agent decode --help.

    Here for the list of commands: cli.py runs it without loading any of this.
    """
    from edge_agent.cli_decode import run_decode

    run_decode(context.args)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

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
def run(config: ConfigPath = DEFAULT_PATH) -> None:
    """Run the agent in the foreground until SIGTERM or Ctrl-C.

    Example: edge-agent run --config ./agent.toml
    """
    from edge_agent import config as configuration
    from edge_agent.app import serve

    raise typer.Exit(serve(configuration.load(config)))


@app.command()
def status(
    config: ConfigPath = DEFAULT_PATH,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep showing it.")] = False,
    as_json: AsJson = False,
) -> None:
    """What the running agent does, and what needs a look.

    Examples: edge-agent status · edge-agent status --watch · edge-agent status --json | jq .outbox
    """
    from edge_agent.status import ask

    socket = socket_of(config)

    def look() -> dict[str, Any]:
        (report,) = ask(socket, "status")
        return dict(report)

    if as_json:
        each_second(lambda: print_json([look()]), watch)
        return
    from rich.console import Console
    from rich.live import Live

    from edge_agent import view
    from edge_agent.report import Report

    console = Console()
    if not watch:
        console.print(view.status_view(Report.model_validate(look())))
        return
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        each_second(
            lambda: live.update(view.status_view(Report.model_validate(look())), refresh=True),
            watch,
        )


@config_app.command("check")
def config_check(config: ConfigPath = DEFAULT_PATH) -> None:
    """Check the file and the secrets it names, and connect to nothing. Exit 2 when it is wrong.

    Example: edge-agent config check --config ./agent.toml
    """
    from edge_agent import config as configuration
    from edge_agent.app import check_secrets

    loaded = configuration.load(config)
    check_secrets(loaded)
    print(f"{config} is in order: site {loaded.site.name}, agent {loaded.site.agent}.")  # noqa: T201


@config_app.command("example")
def config_example() -> None:
    """Print a commented configuration to begin with.

    Example: edge-agent config example > agent.toml
    """
    from edge_agent import config as configuration

    print(configuration.example(), end="")  # noqa: T201 - what was asked for
