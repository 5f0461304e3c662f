"""What each scale protocol offers, and which there are. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from edge_agent.devices.scales.and_standard import AndStandard
from edge_agent.devices.scales.mt_sics import MtSics
from edge_agent.devices.scales.nci_scp01 import NciScp01
from edge_agent.devices.scales.profile import ScaleProfile, ScaleProtocol, command_bytes
from edge_agent.devices.scales.reading import ScaleReading
from edge_agent.devices.scales.regex_scale import RegexScale
from edge_agent.devices.scales.sartorius_sbi import SartoriusSbi
from edge_agent.devices.scales.sma import Sma
from edge_agent.devices.scales.toledo_8217 import Toledo8217
from edge_agent.devices.scales.toledo_continuous import ToledoContinuous


class Framer(Protocol):
    """Cuts what a port yields into frames; a fresh one for each opening of the port."""

    dropped: int
    """Bytes given up as noise."""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that ``data`` completes, however cut or glued it came."""
        ...

    def clear(self) -> None:
        """The line has been quiet (a timeout): what is half is given up, and the next byte begins
        a frame. A guarded framer that has nothing yet trusts the first line from then on, so a
        link calls it whenever it has waited in vain, and before it asks on a line that was quiet.
        """
        ...


class ScaleCodec(Protocol):
    """One scale's protocol with its profile."""

    def request(self) -> bytes | None:
        """What asks for one weight now; None: it sends by itself."""
        ...

    def framer(self) -> Framer: ...

    def decode(self, frame: bytes, command: str | None = None) -> ScaleReading:
        """What one whole frame says, with or without its delimiters; no bytes are silence. Never
        raises: what makes no sense is an error. ``command``: what was asked, where it matters."""
        ...


_CODECS: dict[ScaleProtocol, Callable[[ScaleProfile], ScaleCodec]] = {
    "mt-sics": MtSics,
    "toledo-8217": Toledo8217,
    "toledo-continuous": ToledoContinuous,
    "nci-scp01": NciScp01,
    "sma": Sma,
    "and-standard": AndStandard,
    "sartorius-sbi": SartoriusSbi,
    "regex": RegexScale,
}
#: How a command begins and ends, where it does not bring its own.
_ENDS: dict[ScaleProtocol, tuple[str, str]] = {
    "mt-sics": ("", "\r\n"),
    "toledo-8217": ("", ""),
    "toledo-continuous": ("", "\r\n"),
    "nci-scp01": ("", "\r"),
    "sma": ("\n", "\r"),
    "and-standard": ("", "\r\n"),
    "sartorius-sbi": ("", "\r\n"),
    "regex": ("", ""),
}


def scale_codec(profile: ScaleProfile) -> ScaleCodec:
    """The codec of a profile."""
    return _CODECS[profile.protocol](profile)


def start_bytes(profile: ScaleProfile) -> bytes | None:
    """What is sent once after the port was opened, or None."""
    if profile.start_command is None:
        return None
    begin, end = _ENDS[profile.protocol]
    return command_bytes(profile.start_command, begin=begin, end=end)
