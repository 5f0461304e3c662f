"""``cloud-relay``: run the relay, see where events are, decide about those that are held."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud_relay import screens
from cloud_relay.config import (
    DEFAULT_PATH,
    DEFAULT_SOCKET,
    Settings,
    example,
    load,
    read_secret,
    read_tokens,
)
from cloud_relay.local_socket import ask
from cloud_relay.odoo.commands import odoo_app
from edge_contract.errors import EdgeError, Rejected
from edge_contract.scalars import instant_text
from edge_contract.toml_errors import ConfigurationError

app = typer.Typer(
    name="cloud-relay",
    help="Takes events from the sites' agents and applies each to Odoo exactly once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
held_app = typer.Typer(help="Events that wait for a decision.", no_args_is_help=True)
targets_app = typer.Typer(help="Odoo databases: see their state, let them go on.")
alarms_app = typer.Typer(help="What the central team must look at.", no_args_is_help=True)
config_app = typer.Typer(help="The configuration file.", no_args_is_help=True)
app.add_typer(held_app, name="held")
app.add_typer(targets_app, name="targets", no_args_is_help=True)
app.add_typer(alarms_app, name="alarms")
app.add_typer(config_app, name="config")
app.add_typer(odoo_app, name="odoo")

Config = Annotated[
    Path, typer.Option("--config", "-c", envvar="CLOUD_RELAY_CONFIG", help="Configuration file.")
]
Socket = Annotated[
    Path | None,
    typer.Option(
        "--socket",
        envvar="CLOUD_RELAY_SOCKET",
        help="Control socket of the running relay; else that of the configuration.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON, for scripts.")]
Number = Annotated[int, typer.Argument(help="The number that `held list` shows.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]


def _version(wanted: bool) -> None:
    if wanted:
        from cloud_relay.app import relay_version  # the server's imports cost half a second

        typer.echo(f"cloud-relay {relay_version()}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Takes events from the sites' agents and applies each to Odoo exactly once."""


@app.command()
def run(
    config: Config = DEFAULT_PATH,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Run the relay until SIGTERM or Ctrl-C.

    Example: cloud-relay run --config /etc/warehouse-edge/relay.toml
    """
    from cloud_relay.app import run_relay  # the server's imports cost half a second

    settings = load(config)
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for chatty in ("httpx", "httpcore", "uvicorn", "aiosqlite"):
        logging.getLogger(chatty).setLevel(logging.WARNING)

    async def until_told() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await run_relay(settings, stop=stop)

    asyncio.run(until_told())


@app.command()
def sites(config: Config = DEFAULT_PATH, socket: Socket = None, as_json: AsJson = False) -> None:
    """How far every site is behind.

    Example: cloud-relay sites
    """
    screens.show(_ask(config, socket, "sites"), as_json, screens.sites)


@app.command()
def event(
    device: Annotated[str, typer.Argument(help="Name of the device.")],
    event_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the event (a UUID).")],
    config: Config = DEFAULT_PATH,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """What became of one event: every rung it climbed.

    Example: cloud-relay event scanner-7 01938f2e-7a3b-7c11-9f5e-2b1c0d9e8f7a
    """
    screens.show(
        _ask(config, socket, "event", device=device, event=event_id), as_json, screens.event
    )


@app.command()
def audit(
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 50,
    config: Config = DEFAULT_PATH,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """What people did: replays, discards, resumes.

    Example: cloud-relay audit --limit 20
    """
    screens.show(_ask(config, socket, "audit", limit=limit), as_json, screens.audit)


@app.command()
def enrol(
    device: Annotated[str, typer.Argument(help="Name of the device.")],
    target: Annotated[str, typer.Argument(help="The target it works for from now on.")],
    config: Config = DEFAULT_PATH,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Move a device to another target; then replay what it sent from there.

    Example: cloud-relay enrol scanner-7 north
    """
    answer = _ask(config, socket, "devices.enrol", device=device, target=target)
    screens.show(answer, as_json, lambda _: f"{device} works for {target} now.")


@held_app.command("list")
def held_list(
    site: Annotated[str | None, typer.Option(help="Only of this site.")] = None,
    config: Config = DEFAULT_PATH,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Every held event with its reason and how many wait behind it.

    Example: cloud-relay held list --site hamburg
    """
    screens.show(_ask(config, socket, "held.list", site=site), as_json, screens.held)


@held_app.command("show")
def held_show(
    number: Number, config: Config = DEFAULT_PATH, socket: Socket = None, as_json: AsJson = False
) -> None:
    """One event with its data, its reason and what to do.

    Example: cloud-relay held show 17
    """
    screens.show(_ask(config, socket, "held.show", number=number), as_json, screens.event)


@held_app.command("replay")
def held_replay(
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers of `held list`.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All that are held, and none set aside.")
    ] = False,
    site: Annotated[str | None, typer.Option(help="With --all: only of this site.")] = None,
    config: Config = DEFAULT_PATH,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Try held events again, after what stood in their way was put right.

    Examples: cloud-relay held replay 17 18, cloud-relay held replay --all --site hamburg
    """
    if bool(numbers) == every:
        raise typer.BadParameter("Name the events by number, or say --all.")
    answer = _ask(config, socket, "held.replay", numbers=numbers or [], all=every, site=site)
    screens.show(answer, as_json, lambda said: f"{said['replayed']} events are tried again.")


@held_app.command("discard")
def held_discard(
    number: Number,
    reason: Reason,
    config: Config = DEFAULT_PATH,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Give up a held event, on the record; what waits behind it goes on.

    Example: cloud-relay held discard 17 --reason "counted by hand"
    """
    answer = _ask(config, socket, "held.discard", number=number, reason=reason)
    screens.show(answer, as_json, lambda _: f"Event {number} is discarded.")


@held_app.command("aside")
def held_aside(
    number: Number,
    reason: Reason,
    config: Config = DEFAULT_PATH,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Set a held event aside, on the record, so that what waits behind it goes on.

    Example: cloud-relay held aside 17 --reason "the truck leaves"
    """
    answer = _ask(config, socket, "held.aside", number=number, reason=reason)
    screens.show(answer, as_json, lambda _: f"Event {number} is set aside; it stays in the list.")


@targets_app.command("list")
def targets_list(
    config: Config = DEFAULT_PATH, socket: Socket = None, as_json: AsJson = False
) -> None:
    """Whether Odoo takes events, and if not, why not.

    Example: cloud-relay targets list
    """
    screens.show(_ask(config, socket, "targets.list"), as_json, screens.targets)


@targets_app.command("resume")
def targets_resume(
    target: Annotated[str, typer.Argument(help="Name of the target.")],
    replay_since: Annotated[
        str | None,
        typer.Option(
            help="Apply again what was applied since then (RFC 3339): the time of the backup, or "
            "earlier; what Odoo still has is recognised."
        ),
    ] = None,
    new_database: Annotated[
        bool, typer.Option("--new-database", help="This database is the right one from now on.")
    ] = False,
    config: Config = DEFAULT_PATH,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Let a target that is stopped or waits go on at once.

    Example: cloud-relay targets resume main --replay-since 2026-11-23T02:00:00Z
    """
    answer = _ask(
        config,
        socket,
        "targets.resume",
        target=target,
        replay_since=None if replay_since is None else _instant(replay_since),
        new_database=new_database,
    )
    screens.show(
        answer, as_json, lambda said: f"{target} goes on; {said['requeued']} events are repeated."
    )


@alarms_app.command("list")
def alarms_list(
    config: Config = DEFAULT_PATH, socket: Socket = None, as_json: AsJson = False
) -> None:
    """Alarms that stand.

    Example: cloud-relay alarms list
    """
    screens.show(_ask(config, socket, "alarms.list"), as_json, screens.alarms)


@alarms_app.command("clear")
def alarms_clear(
    key: Annotated[str, typer.Argument(help="The key that `alarms list` shows.")],
    config: Config = DEFAULT_PATH,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Clear an alarm, on the record.

    Example: cloud-relay alarms clear target_stopped:main:went_back
    """
    answer = _ask(config, socket, "alarms.clear", key=key)
    screens.show(answer, as_json, lambda _: f"Alarm {key} is cleared.")


@config_app.command("check")
def config_check(config: Config = DEFAULT_PATH, as_json: AsJson = False) -> None:
    """Check the configuration and the secrets it names; exit status 2 when something is wrong.

    Example: cloud-relay config check --config relay.toml
    """
    settings = load(config)
    read_tokens(settings)
    for name, target in settings.targets.items():
        read_secret(target.key_file, f"targets.{name}.key_file")
    answer = {"file": str(config), "ok": True, "sites": len(settings.sites)}
    screens.show(answer, as_json, lambda _: f"{config} is good.")


@config_app.command("example")
def config_example() -> None:
    """Print a configuration with every key explained.

    Example: cloud-relay config example > relay.toml
    """
    typer.echo(example(), nl=False)


def _ask(config: Path, socket: Path | None, do: str, **fields: Any) -> Any:
    return ask(_socket(config, socket), do, **fields)


def _socket(config: Path, socket: Path | None) -> Path:
    if socket is not None:
        return socket
    if config == DEFAULT_PATH and not config.exists():
        return DEFAULT_SOCKET
    settings: Settings = load(config)
    return settings.control.socket


def _instant(text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return instant_text(at)
    except ValueError:
        pass
    raise typer.BadParameter(f"{text!r} is not a time with a zone such as 2026-11-23T02:00:00Z.")


def main(run_app: Callable[[], None] = app) -> None:
    """Entry point: errors are one clear sentence on stderr; 2 for configuration, 1 otherwise."""
    try:
        run_app()
    except ConfigurationError as error:
        _fail(str(error.message), error.remedy, 2)
    except Rejected as error:
        _fail(error.message, "", 1)
    except EdgeError as error:
        _fail(str(error), "", 1)


def _fail(message: str, remedy: str, status: int) -> None:
    typer.echo(f"{message}\n{remedy}".strip(), err=True)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
