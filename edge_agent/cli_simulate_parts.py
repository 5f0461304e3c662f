"""What the commands of ``edge-agent simulate`` have in common."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edge_contract.errors import Rejected

if TYPE_CHECKING:
    from edge_agent.devices.profiles.schema import Profile
    from edge_agent.devices.simulate.console import Console, Signals
    from edge_agent.devices.simulate.lines import Line


def profile_of(name: str, wanted: Literal["scale", "scanner", "printer"], config: Path) -> Profile:
    """The profile of that name, which must be of the class. Raises ``EdgeError``."""
    from edge_agent.devices.profiles.library import ProfileLibrary, site_folder

    profile = ProfileLibrary(site_folder(config)).get(name)
    if profile.device_class != wanted:
        raise Rejected("misuse", f"The profile {name} is a {profile.device_class}'s.")
    return profile


def line_of(profile: Profile, pty: Path | None, listen: str | None) -> Line:
    """The line to hang on."""
    from edge_agent.devices.simulate.lines import PtyLine, TcpLine

    if pty is not None and listen is not None:
        raise Rejected("misuse", "--pty and --listen exclude each other: a device has one line.")
    if listen is not None:
        return TcpLine(*address_of(listen, "--listen"))
    if profile.serial is None:
        raise Rejected("misuse", "The profile has no [serial] line: give --listen.")
    try:
        return PtyLine(pty)
    except OSError as error:
        raise Rejected("misuse", f"--pty: {error}.") from None


def address_of(text: str, option: str, usual: int | None = None) -> tuple[str, int]:
    """``HOST:PORT``, ``[IPV6]:PORT`` or ``:PORT`` (of this machine alone)."""
    host, colon, port = text.rpartition(":")
    if not colon and usual is not None:
        host, port = text, str(usual)
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise Rejected("misuse", f"{option} takes HOST:PORT, as 127.0.0.1:4001.")
    return host.strip("[]") or "127.0.0.1", int(port)


@contextmanager
def bound(what: str, remedy: str) -> Iterator[None]:
    """What cannot be had (a port, a broker, a file) is one sentence with a remedy."""
    try:
        yield
    except OSError as error:
        raise Rejected("misuse", f"{what}: {error.strerror or error}. {remedy}") from None


def introduce(
    what: str,
    name: str,
    profile_name: str,
    profile: Profile,
    line: Line,
    overrides: dict[str, object],
) -> None:
    """Say where it is, and what to write into ``agent.toml``."""
    from edge_agent.devices.simulate.lines import PtyLine
    from edge_agent.devices.simulate.tables import pty_overrides, table

    if isinstance(line, PtyLine):
        place = {"port": line.where}
        overrides = overrides | pty_overrides(profile.serial)
    elif profile.tcp is not None:
        place = {"host": line.where}
    else:
        place = {"port": f"socket://{line.where}"}
    tell(f"A simulated {what} ({profile_name}) listens at {line.where}; in agent.toml:\n")
    tell(table(name, profile_name, place, overrides))
    tell("Type commands; help lists them, Ctrl-C ends it.")


@contextmanager
def stage() -> Iterator[tuple[ExitStack, Signals]]:
    """What is entered here is left in order, whenever a signal comes."""
    from edge_agent.devices.simulate.console import Signals

    with Signals() as signals, ExitStack() as stack:
        yield stack, signals


def serve(console: Console, script: Path | None, signals: Signals) -> None:
    """Obey keyboard and script until the end."""
    from edge_agent.devices.simulate.console import parse_script, run_console

    timed = []
    if script is not None:
        try:
            text = sys.stdin.read() if str(script) == "-" else script.read_text(encoding="utf-8")
            timed = parse_script(text)
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise Rejected("misuse", f"--script: {error}.") from None
    run_console(console, timed, sys.stdin.fileno() if sys.stdin else None, signals, tell)


def tell(text: str) -> None:
    """Print at once: others read it through a pipe."""
    print(text, flush=True)  # noqa: T201 - what was asked for
