"""Asking a port what hangs on it: only with consent, and only what a profile that claims it says.

The bytes of a probe may mean something else to another device, which is why nobody is asked
unbidden, why a port that is configured or in use is left alone, and why network printers are never
asked: what one does not understand, it prints.
"""

from __future__ import annotations

import contextlib
import re
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import serial

from edge_agent.devices.discovery.proposal import Claim
from edge_agent.devices.escapes import escaped, unescaped
from edge_agent.devices.profiles.parts import SerialLine
from edge_agent.devices.profiles.schema import Profile

_GONE = (serial.SerialException, OSError, termios.error, ValueError)
#: An answer is complete well before; more than this is a stream of something else.
_MOST = 4096

OpenPort = Callable[[str, SerialLine], Any]


@dataclass(frozen=True, slots=True)
class Probed:
    """What a port said to one probe."""

    profile: str
    matched: bool
    heard: bytes
    trouble: str = ""


def open_port(address: str, line: SerialLine) -> Any:
    """The port with the line settings of a profile, for us alone."""
    return serial.serial_for_url(
        address,
        baudrate=line.baudrate,
        bytesize=line.bytesize,
        parity=line.parity,
        stopbits=line.stopbits,
        timeout=0.05,
        write_timeout=1.0,
        **({} if "://" in address else {"exclusive": True}),
    )


def probe(
    address: str,
    claims: Sequence[str],
    profiles: Mapping[str, Profile],
    *,
    patience_s: float = 1.0,
    opened: OpenPort = open_port,
) -> list[Probed]:
    """Ask with the probes of the profiles that claim the port, until one gets its answer."""
    results: list[Probed] = []
    for name in claims:
        profile = profiles[name]
        if profile.serial is None or profile.discovery.probe is None:
            continue
        results.append(_ask(address, name, profile, patience_s, opened))
        if results[-1].matched or results[-1].trouble:
            break
    return results


def _ask(address: str, name: str, profile: Profile, patience_s: float, opened: OpenPort) -> Probed:
    question = unescaped(profile.discovery.probe or "")
    good = re.compile(profile.discovery.answers or "(?!)")
    heard = b""
    try:
        port = opened(address, profile.serial or SerialLine())
    except _GONE as error:
        return Probed(name, False, b"", f"cannot be opened: {error}")
    try:
        port.reset_input_buffer()
        port.write(question)
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline and len(heard) < _MOST:
            heard += port.read(max(1, port.in_waiting))
            if good.search(heard.decode("latin-1")):
                return Probed(name, True, heard)
    except _GONE as error:
        return Probed(name, False, heard, f"failed: {error}")
    finally:
        with contextlib.suppress(*_GONE):
            port.close()
    return Probed(name, False, heard)


def probed_claims(claims: Sequence[Claim], results: Sequence[Probed]) -> list[Claim]:
    """The claims after the probes: an answer proves one, silence proves nothing."""
    for result in results:
        if result.matched:
            said = escaped(result.heard[:60])
            proven = Claim(result.profile, "answered", f"it answered its probe with '{said}'")
            return [proven, *(claim for claim in claims if claim.profile != result.profile)]
    return list(claims)
