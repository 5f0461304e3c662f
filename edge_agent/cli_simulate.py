"""``edge-agent simulate``: a device as a program, to try a site before its hardware is there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import uuid4

import typer

from edge_agent.cli_options import DEFAULT_PATH, ConfigPath
from edge_agent.cli_simulate_parts import (
    address_of,
    bound,
    introduce,
    line_of,
    profile_of,
    serve,
    stage,
    tell,
)
from edge_contract.errors import Rejected

if TYPE_CHECKING:
    from edge_agent.devices.profiles.schema import Profile

simulate_app = typer.Typer(
    no_args_is_help=True,
    help="Play a scale, a printer or a scanner, with faults on demand; type help while it runs.",
)

#: When a simulated device finds its place taken.
_ELSEWHERE = "Name another with --pty or --listen."

PtyPath = Annotated[
    Path | None,
    typer.Option(help="Where the link to the pseudo-terminal is put; absent: a new directory."),
]
Listen = Annotated[
    str | None, typer.Option(help="A TCP port HOST:PORT, as of a serial device server, instead.")
]
Script = Annotated[
    Path | None,
    typer.Option(help="A timed list, one 'SECONDS COMMAND' a line; - reads standard input."),
]
Name = Annotated[str | None, typer.Option(help="Its section: [devices.NAME].")]


@simulate_app.command("scale")
def simulate_scale(
    protocol: Annotated[
        str,
        typer.Option(
            "--protocol", "--profile", "-p", help="A protocol, or any profile of a scale."
        ),
    ] = "mt-sics",
    pty: PtyPath = None,
    listen: Listen = None,
    weight: Annotated[str, typer.Option(help="What lies on it at the start.")] = "0.000",
    unit: Annotated[str, typer.Option(help="The unit it shows.")] = "kg",
    interval: Annotated[
        float, typer.Option(min=0.01, help="Seconds between frames, where it streams.")
    ] = 0.1,
    script: Script = None,
    name: Name = None,
    config: ConfigPath = DEFAULT_PATH,
) -> None:
    """A scale that answers or streams, as its protocol does.

    Protocols: mt-sics, toledo-8217, toledo-8213, toledo-continuous, nci-scp01, sma, and-standard,
    sartorius-sbi, ohaus, adam, and every profile of your own.

    Examples: edge-agent simulate scale --protocol toledo-8217 --weight 12.345 ·
    edge-agent simulate scale -p sma --listen 127.0.0.1:4001 --script faults.txt
    """
    from edge_agent.devices.simulate.console import Console
    from edge_agent.devices.simulate.hands import scale_hands
    from edge_agent.devices.simulate.scale import SimulatedScale
    from edge_agent.devices.simulate.tables import scale_overrides

    profile = profile_of(protocol, "scale", config)
    assert profile.scale is not None
    with stage() as (stack, signals):
        line = line_of(profile, pty, listen)
        stack.callback(line.close)
        try:
            scale = SimulatedScale(unit, profile=profile.scale, line=line, interval_s=interval)
            scale.put(weight)
            overrides = scale_overrides(profile.scale, unit)
        except ValueError as error:
            raise Rejected("misuse", f"--weight and --unit: {error}.") from None
        with bound(f"{pty or listen or 'A pseudo-terminal'} cannot be had", _ELSEWHERE):
            stack.enter_context(scale)
        introduce("scale", name or "scale-1", protocol, profile, line, overrides)
        serve(Console(scale_hands(scale), tell), script, signals)


@simulate_app.command("scanner")
def simulate_scanner(
    profile_name: Annotated[
        str, typer.Option("--profile", "-p", help="How it frames what it reads.")
    ] = "generic-text",
    pty: PtyPath = None,
    listen: Listen = None,
    mqtt: Annotated[str | None, typer.Option(help="A broker HOST:PORT instead of a line.")] = None,
    topic: Annotated[
        str | None, typer.Option(help="With --mqtt: where it publishes; absent: the profile's.")
    ] = None,
    username: Annotated[str | None, typer.Option(help="With --mqtt: its user.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="With --mqtt: a file whose first line is the password.")
    ] = None,
    script: Script = None,
    name: Name = None,
    config: ConfigPath = DEFAULT_PATH,
) -> None:
    """A scanner that sends each line you type as one read; ]C1 and {GS} are taken as such.

    Examples: edge-agent simulate scanner · edge-agent simulate scanner -p sick-lector --listen
    :2112 · edge-agent simulate scanner -p generic-json --mqtt 127.0.0.1:1883
    """
    from edge_agent.devices.simulate.console import Console
    from edge_agent.devices.simulate.hands import scanner_hands
    from edge_agent.devices.simulate.scanner import SimulatedScanner

    profile = profile_of(profile_name, "scanner", config)
    assert profile.scanner is not None
    if mqtt is not None:
        _mqtt_scanner(
            profile, profile_name, mqtt, topic, name or "gate-1", username, password_file, script
        )
        return
    with stage() as (stack, signals):
        line = line_of(profile, pty, listen)
        stack.callback(line.close)
        scanner = SimulatedScanner(profile.scanner, line)
        with bound(f"{pty or listen or 'A pseudo-terminal'} cannot be had", _ELSEWHERE):
            stack.enter_context(scanner)
        introduce("scanner", name or "scanner-1", profile_name, profile, line, {})
        hands = scanner_hands(scanner)
        serve(Console(hands, tell, lambda text: hands["scan"].act(text)), script, signals)


@simulate_app.command("printer")
def simulate_printer(
    language: Annotated[
        Literal["zpl", "escpos", "tspl"], typer.Option("--language", "-l", help="What it speaks.")
    ] = "zpl",
    listen: Annotated[str, typer.Option(help="Its TCP port.")] = "127.0.0.1:9100",
    pty: Annotated[
        Path | None, typer.Option(help="A link to a pseudo-terminal instead of a TCP port.")
    ] = None,
    script: Script = None,
    name: Name = None,
    config: ConfigPath = DEFAULT_PATH,
) -> None:
    """A label printer that prints nothing and counts everything.

    Examples: edge-agent simulate printer --language tspl --listen :9101 · edge-agent simulate
    printer --pty /tmp/label-1
    """
    from edge_agent.devices.escapes import escaped
    from edge_agent.devices.simulate.console import Console
    from edge_agent.devices.simulate.hands import printer_hands
    from edge_agent.devices.simulate.printer_line import PrinterOnLine
    from edge_agent.devices.simulate.printer_machine import PrinterMachine

    profile_name = "zebra-zpl" if language == "zpl" else language
    profile = profile_of(profile_name, "printer", config)
    with stage() as (stack, signals):
        line = line_of(profile, pty, None if pty else listen)
        stack.callback(line.close)
        machine = PrinterMachine(language)
        printer = PrinterOnLine(
            machine, line, lambda label: tell(f"printed: {escaped(label)[:200]}")
        )
        with bound(f"{pty or listen or 'A pseudo-terminal'} cannot be had", _ELSEWHERE):
            stack.enter_context(printer)
        introduce("printer", name or "label-1", profile_name, profile, line, {})
        serve(Console(printer_hands(printer), tell), script, signals)


def _mqtt_scanner(
    profile: Profile,
    profile_name: str,
    broker: str,
    topic: str | None,
    name: str,
    username: str | None,
    password_file: Path | None,
    script: Path | None,
) -> None:
    from edge_agent.devices.simulate.console import Console
    from edge_agent.devices.simulate.hands import barcode_of
    from edge_agent.devices.simulate.publisher import MqttPublisher
    from edge_agent.devices.simulate.scanner_payloads import payload_of
    from edge_agent.devices.simulate.tables import table, topic_of

    assert profile.scanner is not None
    scanner, (host, port) = profile.scanner, address_of(broker, "--mqtt", 1883)
    filter_ = topic or (profile.mqtt.topic if profile.mqtt else None)
    if filter_ is None:
        raise Rejected("misuse", f"The profile {profile_name} has no topic: give one with --topic.")
    try:
        place = topic_of(filter_, name)
    except ValueError as error:
        raise Rejected("misuse", f"{error}.") from None
    with bound(f"{password_file} cannot be read", "Name another with --password-file."):
        lines = password_file.read_text().splitlines() if password_file else []
    password = lines[0].strip() if lines else None
    with stage() as (stack, signals):
        with bound(f"The broker {host}:{port} cannot be reached", "See that it runs, and --mqtt."):
            publisher = stack.enter_context(
                MqttPublisher(f"simulated-{name}", host, port, username=username, password=password)
            )
        tell(f"A simulated scanner publishes on {place} at {host}:{port}. In agent.toml:\n")
        tell(table("gates" if topic is None else name, profile_name, {"topic": filter_}, {}))
        tell("Type barcodes; help lists commands, Ctrl-C ends it.")

        def publish(typed: str) -> None:
            read = payload_of(scanner, barcode_of(typed), datetime.now(UTC), uuid4())
            info = publisher.publish(place, read)
            info.wait_for_publish(2)
            if trouble := publisher.trouble(info):
                tell(f"The broker did not take it: {trouble}.")

        console = Console({}, tell, publish)
        serve(console, script, signals)
