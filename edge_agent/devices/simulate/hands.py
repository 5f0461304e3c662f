"""What a person can do to a simulated device: the commands of its console."""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from edge_agent.devices.escapes import unescaped
from edge_agent.devices.scales.encoding import Fault
from edge_agent.devices.simulate.console import Command
from edge_agent.devices.simulate.printer_line import PrinterOnLine
from edge_agent.devices.simulate.scale import SimulatedScale
from edge_agent.devices.simulate.scanner import SimulatedScanner
from edge_agent.devices.simulate.wire import Wire

_OFF = "[off]"


def scale_hands(scale: SimulatedScale) -> dict[str, Command]:
    """Loads, faults of the scale, and faults of its line."""

    def show(fault: Fault) -> Callable[[str], object]:
        return lambda _: scale.fault(fault)

    return {
        "put": Command(lambda text: scale.put(_weight(text)), "a load comes to rest", "WEIGHT"),
        "unstable": Command(
            lambda text: scale.put(_weight(text), stable=False), "a load that sways", "WEIGHT"
        ),
        "motion": Command(lambda _: scale.move(), "in motion, whatever the protocol says then"),
        "overload": Command(show("overload"), "more than it can weigh"),
        "underload": Command(show("underload"), "less than nothing, the pan is off"),
        "error": Command(show("error"), "a fault of the scale itself"),
        "say": Command(
            lambda text: scale.say_bytes(unescaped(text)),
            "these bytes instead of a weight, with escapes as \\x02 and \\r",
            "BYTES",
        ),
        **wire_hands(scale.wire),
    }


def wire_hands(wire: Wire) -> dict[str, Command]:
    """Faults of a line."""

    def noise(text: str) -> None:
        counted = not text or text.isdecimal()
        wire.noise(os.urandom(_whole(text or "40")) if counted else unescaped(text))

    def half(text: str) -> None:
        wire.half = _whole(text or "1")

    def glue(text: str) -> None:
        wire.glue = 1 if text == "off" else max(1, _whole(text))

    def slow(text: str) -> None:
        wire.slow_s = 0.0 if text == "off" else _whole(text) / 1000

    return {
        "silent": Command(_flag(wire, "silent"), "switched off; 'silent off' ends it", _OFF),
        "stuck": Command(_flag(wire, "stuck"), "hung: takes nothing and says nothing", _OFF),
        "noise": Command(noise, "put random bytes, or these, on the line", "[COUNT or BYTES]"),
        "half": Command(half, "the next frames break off in their middle", "[COUNT]"),
        "glue": Command(glue, "so many frames leave in one piece", "COUNT or off"),
        "slow": Command(slow, "so many milliseconds after each byte", "MS or off"),
        "unplug": Command(lambda _: wire.line.unplug(), "pull the cable"),
        "replug": Command(lambda _: wire.line.plug(), "put it back"),
    }


def printer_hands(printer: PrinterOnLine) -> dict[str, Command]:
    """Faults and counters of the printer, and faults of its line."""
    machine = printer.machine

    def busy(text: str) -> None:
        machine.seconds_per_label = 0.0 if text == "off" else float(_whole(text))

    def odometer(text: str) -> None:
        machine.odometer = _whole(text, 10**9)

    def alerts(text: str) -> None:
        host, _, port = text.rpartition(":")
        printer.alerts_to = None if text == "off" else (host or "127.0.0.1", _whole(port, 65535))

    return {
        "media-out": Command(
            _flag(machine, "media_out"), "no labels; 'media-out off' ends it", _OFF
        ),
        "head-open": Command(_flag(machine, "head_open"), "the print head is open", _OFF),
        "ribbon-out": Command(_flag(machine, "ribbon_out"), "no ribbon", _OFF),
        "paused": Command(_flag(machine, "paused"), "the pause button", _OFF),
        "talks": Command(
            lambda text: setattr(machine, "quiet_faults", text == "off"),
            "answer with media out or head open, too; many models do not",
            _OFF,
        ),
        "busy": Command(busy, "so many seconds for each label", "SECONDS or off"),
        "odometer": Command(odometer, "labels it has printed in its life", "COUNT"),
        "alerts": Command(alerts, "push alerts there", "HOST:PORT or off"),
        **wire_hands(printer.wire),
    }


def scanner_hands(scanner: SimulatedScanner) -> dict[str, Command]:
    """Reads, and faults of the line; what is no command is a barcode."""
    return {
        "scan": Command(
            lambda text: scanner.scan(barcode_of(text)),
            "a barcode that is a command too",
            "BARCODE",
        ),
        "noread": Command(lambda _: scanner.no_read(), "what it says when it sees no label"),
        **wire_hands(scanner.wire),
    }


def barcode_of(typed: str) -> str:
    """A barcode as typed: ``{GS}`` is the group separator, and escapes are undone."""
    return unescaped(typed.replace("{GS}", "\x1d")).decode()


def _flag(owner: object, name: str) -> Callable[[str], object]:
    def act(text: str) -> None:
        if text not in {"", "on", "off"}:
            raise ValueError("it takes 'off', or nothing")
        setattr(owner, name, text != "off")

    return act


def _whole(text: str, most: int = 60_000) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 10 or int(text) > most:
        raise ValueError(f"{text!r} is no whole number up to {most}")
    return int(text)


def _weight(text: str) -> str:
    """Decimal text as displays write it: ``.5`` and ``+5`` are no such."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise ValueError(f"{text!r} is no weight such as 12.345")
    return format(value, "f")
