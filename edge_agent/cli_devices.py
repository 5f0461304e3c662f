"""``edge-agent devices``: what is configured, what could be, and what it says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_agent.cli_options import (
    DEFAULT_PATH,
    AsJson,
    ConfigPath,
    print_json,
    print_rich,
    show,
)

if TYPE_CHECKING:
    from edge_agent.config import AgentConfig
    from edge_agent.devices.discovery.finding import Findings
    from edge_agent.devices.profiles.library import ProfileLibrary
    from edge_agent.devices.profiles.schema import Profile

devices_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Scanners, scales and printers: list, find and try them.",
)


@devices_app.command("list")
def devices_list(config: ConfigPath = DEFAULT_PATH, as_json: AsJson = False) -> None:
    """The configured devices, with their profiles and where they are.

    Whether they are there now is told by: edge-agent status

    Example: edge-agent devices list
    """
    from edge_agent import config as configuration
    from edge_agent.devices.profiles.library import ProfileLibrary
    from edge_agent.devices.profiles.resolve import configured_devices
    from edge_agent.view_devices import devices_view

    loaded = configuration.load(config)
    devices = configured_devices(loaded.devices, ProfileLibrary(loaded.profiles))
    rows = [
        {
            "name": device.name,
            "class": device.device_class,
            "profile": device.profile_name,
            "transport": device.transport,
            "address": device.address,
            "station": device.station,
        }
        for device in devices
    ]
    if rows or as_json:
        show(rows, devices_view, as_json)
    else:
        print(  # noqa: T201
            f"No devices are configured in {config}. edge-agent devices discover proposes some."
        )


@devices_app.command("discover")
def devices_discover(
    config: ConfigPath = DEFAULT_PATH,
    probe: Annotated[
        bool,
        typer.Option("--probe", help="Consent to ask ports that a profile claims: writes to them."),
    ] = False,
    port: Annotated[
        list[str] | None,
        typer.Option(help="A port (path or URL) that with --probe is asked as every profile."),
    ] = None,
    profile: Annotated[
        list[str] | None, typer.Option(help="Try only this profile (may be repeated).")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0, max=600, help="How long to listen to the network; 0: not.")
    ] = 5.0,
    interface: Annotated[
        list[str] | None, typer.Option(help="Listen on this address of the host only.")
    ] = None,
    toml: Annotated[bool, typer.Option("--toml", help="Only the sections, to paste.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look for devices, and propose what agent.toml could say of them. Changes nothing.

    Serial ports are listed with their names that survive replugging; the network is listened to
    for printers and brokers. Nothing is written to any port without --probe, and then only to ports
    whose USB ids a profile claims, or that you name with --port; never to one that is configured
    already or in use, and never to the network. What is proposed is a suggestion: check it, then
    try it with: edge-agent devices test NAME

    Examples:

    - edge-agent devices discover
    - edge-agent devices discover --toml >> agent.toml
    - edge-agent devices discover --probe --port /dev/ttyUSB0 --profile mt-sics --seconds 0
    """
    from edge_agent.devices.discovery.finding import Wish, discover
    from edge_agent.devices.discovery.suggesting import Site
    from edge_agent.devices.profiles.library import ProfileLibrary, site_folder
    from edge_agent.devices.profiles.resolve import configured_devices

    loaded = _configuration(config)
    library = ProfileLibrary(site_folder(config) if loaded is None else loaded.profiles)
    profiles = _usable(library, profile or ())
    site = Site()
    if loaded is not None:
        broker = None if loaded.mqtt is None else (loaded.mqtt.host, loaded.mqtt.port)
        site = Site(configured_devices(loaded.devices, library), broker)
    wish = Wish(probe, port or (), profile or (), seconds, interface or ())
    with _progress() as tell:
        findings = discover(wish, profiles, site, tell=tell)
    if as_json:
        print_json([findings.document()])
    else:
        _print_findings(findings, toml)


@devices_app.command("test")
def devices_test(
    name: Annotated[str, typer.Argument(help="The device, as in [devices.NAME].")],
    config: ConfigPath = DEFAULT_PATH,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long to look.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
) -> None:
    """Show live what a device says: its bytes, what they mean, and how its link is.

    Nothing of it is stored. When the agent runs it is asked, and goes on with its work; when it
    does not, the line is opened here. Exit 1 when nothing came that makes sense.

    Examples:

    - edge-agent devices test bench-1
    - edge-agent devices test dock-scanner --seconds 60
    """
    from rich.console import Console

    from edge_agent import config as configuration
    from edge_agent.trial import Verdict, configured_device, trial
    from edge_agent.view_devices import trial_line

    loaded = configuration.load(config)
    device = configured_device(loaded, name)
    verdict = Verdict(device)
    console = Console(highlight=False, soft_wrap=True)
    try:
        for item in trial(loaded, device, seconds):
            verdict.take(item)
            if as_json and item["what"] != "quiet":
                print(json.dumps(item, ensure_ascii=False), flush=True)  # noqa: T201
            elif not as_json and (line := trial_line(item)) is not None:
                console.print(line)
    except KeyboardInterrupt:
        console.print()
    sentence = verdict.sentence(seconds)
    if as_json:
        print_json([{"what": "end", "good": verdict.good, "text": sentence}])
    else:
        console.print(sentence)
    if not verdict.good:
        raise typer.Exit(1)


def _configuration(path: Path) -> AgentConfig | None:
    """The configuration, or none where it is not written yet. Raises when it is wrong."""
    from edge_agent import config as configuration

    if path == DEFAULT_PATH and not path.exists():
        return None
    return configuration.load(path)


def _usable(library: ProfileLibrary, only: Sequence[str]) -> dict[str, Profile]:
    from edge_contract.toml_errors import ConfigurationError

    for name in only:
        library.get(name)  # an unknown one is a mistake of the user's
    profiles = {}
    for name in library.names():
        try:
            profiles[name] = library.get(name)
        except ConfigurationError as error:  # one bad file does not hide the devices of others
            print(f"edge-agent: {error}", file=sys.stderr)  # noqa: T201
    return profiles


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Tells on standard error what is being done: live in a terminal, else each thing once."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with console.status("Looking at the serial ports") as status:
            yield status.update
        return
    told: set[str] = set()

    def tell(said: str) -> None:
        what = said.partition(",")[0]
        if what not in told:
            told.add(what)
            print(f"{said} …", file=sys.stderr)  # noqa: T201

    yield tell


def _print_findings(findings: Findings, toml: bool) -> None:
    from edge_agent.view_devices import found_view

    for trouble in findings.troubles:
        print(f"edge-agent: {trouble}", file=sys.stderr)  # noqa: T201
    proposed = [one.toml for one in findings.suggestions if one.toml]
    if not toml:
        if findings.suggestions:
            print_rich(found_view([one.document() for one in findings.suggestions]))
        else:
            print(  # noqa: T201
                "Nothing was found: no serial port, and no printer or broker that announces "
                "itself. Check cables and power, and that they are in this host's network."
            )
        if proposed:
            print("\nTo paste into agent.toml, after a look at each:\n")  # noqa: T201
    elif not proposed:
        print("edge-agent: there is nothing to propose.", file=sys.stderr)  # noqa: T201
    print("\n".join(proposed), end="")  # noqa: T201 - what was asked for
