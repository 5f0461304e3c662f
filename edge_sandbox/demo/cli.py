"""``warehouse-demo``: a warehouse shift against a real Odoo, with faults, judged at its end."""

from __future__ import annotations

import json
import os
import random
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_contract.errors import EdgeError
from edge_sandbox.demo.run import run_shift
from edge_sandbox.demo.stage import Options, Stage, set_up
from edge_sandbox.demo.view import LiveView, PlainView, print_verdict
from edge_sandbox.odoo import OdooDatabase, OdooFault, Sandbox, SandboxOptions
from edge_sandbox.process import ProcessDied
from edge_sandbox.rig import OdooTarget

#: Login of the relay's user in the sandbox.
RELAY_LOGIN = "edge"
ADMIN_KEY_VARIABLE, RELAY_KEY_VARIABLE = "ODOO_ADMIN_KEY", "ODOO_RELAY_KEY"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(
    epilog="Examples:  warehouse-demo --exit --json out.json  ·  warehouse-demo --seed 7 "
    "--scans 3000 --exit  ·  warehouse-demo --odoo-source ~/odoo --odoo-version 18"
)
def demo(
    seed: Annotated[int | None, typer.Option(help="Replays a shift; random when absent.")] = None,
    scans: Annotated[int, typer.Option(min=20, help="About how many events.")] = 300,
    exit_: Annotated[
        bool, typer.Option("--exit", help="End after the verdict instead of leaving all running.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the verdict to this file.")
    ] = None,
    no_faults: Annotated[bool, typer.Option("--no-faults", help="A day without trouble.")] = False,
    odoo_url: Annotated[
        str | None,
        typer.Option(
            help=f"Use this Odoo instead; needs --odoo-db, and keys in {ADMIN_KEY_VARIABLE} and "
            f"{RELAY_KEY_VARIABLE}. Take a test database: goods and transfers are made in it."
        ),
    ] = None,
    odoo_db: Annotated[str, typer.Option(help="Database of --odoo-url.")] = "",
    odoo_login: Annotated[
        str, typer.Option(help="Login of the relay's user of --odoo-url.")
    ] = RELAY_LOGIN,
    odoo_source: Annotated[
        Path | None, typer.Option(help="Run the Odoo of this source tree instead of Debian's.")
    ] = None,
    odoo_version: Annotated[int, typer.Option(help="Version of --odoo-source.")] = 19,
    folder: Annotated[
        Path | None, typer.Option(help="Keep configurations, stores and logs in this directory.")
    ] = None,
) -> None:
    """Play a warehouse shift end to end on a real Odoo and compare its stock with the truth.

    Handhelds scan over MQTT; scales answer on a serial line and over TCP, a printer over TCP; a
    serial scanner reads parcels, and a forklift's app is known by a profile file only. In the
    middle of the shift handhelds leave the Wi-Fi, a cable is pulled, the uplink is cut, and agent
    and relay are killed.
    """
    options = Options(
        seed=random.SystemRandom().randrange(1, 100_000) if seed is None else seed,
        scans=scans,
        faults=not no_faults,
    )
    console = Console()
    view = LiveView(console) if console.is_terminal else PlainView(console)
    sandbox = replace(SandboxOptions.from_environment(), series=odoo_version)
    if odoo_source is not None:
        sandbox = replace(sandbox, source=odoo_source.expanduser())
    try:
        with (
            _folder(folder) as place,
            view,
            _odoo(odoo_url, odoo_db, odoo_login, sandbox, view) as target,
            set_up(options, target, place, view) as stage,
        ):
            verdict = run_shift(stage, options, view)
            failures = verdict.failures(options.faults)
            if json_file is not None:
                text = json.dumps({**verdict.as_json(), "seed": options.seed}, indent=1)
                json_file.write_text(text + "\n", encoding="utf-8")
            print_verdict(console, verdict, failures)
            if failures:
                console.print(f"The same shift again: warehouse-demo --seed {options.seed}")
            if not exit_:
                _leave_running(console, stage)
    except (EdgeError, OdooFault, ProcessDied, TimeoutError) as error:
        typer.echo(f"Error: {error}", err=True)
        typer.echo(f"The same shift again: warehouse-demo --seed {options.seed}", err=True)
        raise typer.Exit(1) from error
    raise typer.Exit(1 if failures else 0)


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="warehouse-demo-") as made:
        yield Path(made)


@contextmanager
def _odoo(
    url: str | None, database: str, login: str, options: SandboxOptions, view: LiveView | PlainView
) -> Iterator[OdooTarget]:
    if url is not None:
        keys = [os.environ.get(name, "") for name in (ADMIN_KEY_VARIABLE, RELAY_KEY_VARIABLE)]
        if not (database and all(keys)):
            raise typer.BadParameter(
                f"--odoo-url needs --odoo-db, an administrator's API key in {ADMIN_KEY_VARIABLE} "
                f"and the relay user's in {RELAY_KEY_VARIABLE}."
            )
        yield OdooTarget.main_company(OdooDatabase(url, database, keys[0]), keys[1], login)
        return
    said = ""

    def report(step: str, part: float) -> None:
        nonlocal said
        if step != said:
            said = step
            view.step(f"sandbox: {step} ({part:.0%})")

    with Sandbox(options, report) as sandbox, sandbox.start() as server:
        admin = server.clone("demo")
        yield OdooTarget.main_company(admin, admin.stock_user.key, RELAY_LOGIN)


def _leave_running(console: Console, stage: Stage) -> None:
    rig = stage.rig
    console.print(
        f"\nAll of it is left running:\n"
        f"  Odoo    {stage.made.odoo.url} (database {stage.made.odoo.name})\n"
        f"  relay   {rig.relay.url}   cloud-relay held list --config {rig.relay.config}\n"
        f"  agent   edge-agent status --watch --config {rig.agent.config}\n"
        f"  broker  {rig.agent.broker.host}:{rig.agent.broker.port}\n"
        "Ctrl-C ends it.",
        highlight=False,
    )
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()


def main() -> None:
    """Entry point of ``warehouse-demo``."""
    app()


if __name__ == "__main__":
    main()
