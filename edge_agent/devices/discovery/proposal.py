"""From what was found to a configuration that a person may take over.

Pure. A suggestion is never trusted: anyone can announce a printer or a broker, and an adapter's
USB ids say who made its chip, not what hangs on it. So each carries why, and how sure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edge_agent.devices.profiles.schema import Profile

#: ``answered``: it gave the answer of that profile. ``likely``: its USB ids or service type and its
#: name fit. ``possible``: one of them fits. ``unknown``: nothing does. ``configured``: it is in the
#: configuration already.
Sure = Literal["answered", "likely", "possible", "unknown", "configured"]
RANK: Sequence[Sure] = ("answered", "likely", "possible", "unknown", "configured")

#: Languages of printers in a warehouse, the most usual first: which is meant when nothing tells.
_USUAL = ("zpl", "tspl", "escpos")

#: USB ids of adapters that any device may hang on: of themselves they say nothing.
ADAPTERS: Mapping[str, str] = {
    "0403:6001": "FTDI FT232R",
    "0403:6010": "FTDI FT2232",
    "0403:6011": "FTDI FT4232",
    "0403:6014": "FTDI FT232H",
    "0403:6015": "FTDI FT-X",
    "067b:2303": "Prolific PL2303",
    "067b:23a3": "Prolific PL2303GS",
    "10c4:ea60": "Silicon Labs CP210x",
    "10c4:ea70": "Silicon Labs CP2105",
    "1a86:5523": "WCH CH341",
    "1a86:7523": "WCH CH340",
    "1a86:55d4": "WCH CH9102",
    "04d8:00dd": "Microchip MCP2221",
    "9710:7840": "MosChip 7840",
}


@dataclass(frozen=True, slots=True)
class FoundPort:
    """A serial port of this host."""

    path: str
    """As the kernel names it today: ``/dev/ttyUSB0``."""
    stable: str
    """By id, else by where it is plugged in, else the path."""
    usb: str | None = None
    """Vendor and product id, as ``0403:6001``."""
    product: str = ""
    maker: str = ""
    serial_number: str = ""

    @property
    def says(self) -> str:
        """What it calls itself."""
        name = " ".join(dict.fromkeys(f"{self.maker} {self.product}".split()))
        return f"{name} ({self.usb})" if name and self.usb else name or self.usb or ""


@dataclass(frozen=True, slots=True)
class FoundService:
    """A service that the network announces."""

    service: str
    """Its type, as ``_pdl-datastream._tcp``."""
    instance: str
    """How its owner named it."""
    host: str
    addresses: tuple[str, ...]
    port: int
    properties: tuple[tuple[str, str], ...] = ()

    @property
    def says(self) -> str:
        """What it calls itself."""
        told = dict(self.properties)
        model = told.get("ty") or told.get("product", "").strip("()") or told.get("usb_MDL", "")
        return self.instance if not model or model in self.instance else f"{self.instance}: {model}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A profile that may be meant, with why."""

    profile: str
    sure: Sure
    why: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One thing that was found, and what the configuration could say of it."""

    kind: Literal["serial", "network", "broker"]
    where: str
    says: str
    sure: Sure
    why: str
    name: str = ""
    """Of the device, made for this configuration; empty when nothing is proposed."""
    profile: str | None = None
    also: tuple[str, ...] = ()
    """Other profiles that fit as well."""
    toml: str = ""

    def document(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "kind": self.kind,
            "where": self.where,
            "says": self.says,
            "sure": self.sure,
            "why": self.why,
            "name": self.name or None,
            "profile": self.profile,
            "also": list(self.also),
            "toml": self.toml or None,
        }


def port_claims(port: FoundPort, profiles: Mapping[str, Profile]) -> list[Claim]:
    """The profiles that claim a serial port, the surest first. Only these may be probed there."""
    claims = []
    for name, profile in profiles.items():
        if profile.serial is None:
            continue
        usb = port.usb if port.usb in profile.discovery.usb else None
        word = _word(f"{port.maker} {port.product}", profile.discovery.named)
        if usb and usb in ADAPTERS and not word:
            why = f"the USB ids {usb} are those of a {ADAPTERS[usb]} adapter, as it often has"
            claims.append(Claim(name, "possible", why))
        elif usb:
            also = f" and it calls itself {word!r}" if word else ""
            claims.append(Claim(name, "likely", f"its USB ids are {usb}{also}"))
        elif word:
            claims.append(Claim(name, "possible", f"it calls itself {word!r}"))
    return sorted(claims, key=lambda claim: RANK.index(claim.sure))


def service_claims(
    services: Sequence[FoundService], profiles: Mapping[str, Profile]
) -> list[Claim]:
    """The profiles that fit a network device which announces ``services``, the surest first."""
    types = {service.service for service in services}
    said = " ".join(
        f"{service.instance} {service.host} {' '.join(value for _, value in service.properties)}"
        for service in services
    )
    claims = []
    for name, profile in profiles.items():
        if profile.tcp is None:
            continue
        offered = sorted(types & set(profile.discovery.mdns))
        word = _word(said, profile.discovery.named)
        if offered and word:
            why = f"it announces {offered[0]} and calls itself {word!r}"
            claims.append(Claim(name, "likely", why))
        elif word:
            claims.append(Claim(name, "possible", f"it calls itself {word!r}"))
        elif offered:
            why = (
                f"it announces {offered[0]}, as printers of every make do: take the profile of the "
                "language it speaks, and leave out what prints no labels"
            )
            claims.append(Claim(name, "possible", why))
    return sorted(
        claims,
        key=lambda claim: (RANK.index(claim.sure), _usual(profiles[claim.profile]), claim.profile),
    )


def _usual(profile: Profile) -> int:
    language = profile.printer.language if profile.printer is not None else ""
    return _USUAL.index(language) if language in _USUAL else len(_USUAL)


class Names:
    """Makes device names that are valid, and not taken in this configuration."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def make(self, wish: str) -> str:
        """A name like ``wish``: lower case, with a number when another has it."""
        base = re.sub(r"[^a-z0-9]+", "-", wish.lower()).strip("-")[:40].rstrip("-") or "device"
        name, number = base, 1
        while name in self._taken:
            number += 1
            name = f"{base}-{number}"
        self._taken.add(name)
        return name


def device_table(
    name: str, key: Literal["port", "host"], address: str, claims: Sequence[Claim]
) -> str:
    """The section of a device, ready to paste, with why and how sure above it."""
    best, others = claims[0], rivals(claims)
    lines = [f"# {best.sure}: {_one_line(best.why)}"]
    if others:
        lines.append(f"# these profiles fit as well: {', '.join(others)}")
    lines += [
        f"[devices.{toml_key(name)}]",
        f"profile = {toml_text(best.profile)}",
        f"{key} = {toml_text(address)}",
    ]
    return "\n".join(lines) + "\n"


def rivals(claims: Sequence[Claim]) -> tuple[str, ...]:
    """The profiles that fit as well as the first."""
    return tuple(claim.profile for claim in claims[1:] if claim.sure == claims[0].sure)


def broker_table(service: FoundService, address: str) -> str:
    """The section of the broker, ready to paste."""
    encrypted = service.service == "_secure-mqtt._tcp"
    lines = [
        "# possible: the network announces it, and anyone can; ask who runs it before you use it",
        "[mqtt]",
        f"host = {toml_text(address)}",
        f"port = {service.port}",
        '# username = "agent"',
        '# password_file = "mqtt-password"',
    ]
    if encrypted:
        lines.append('tls = { ca_file = "broker-ca.pem" }   # the certificate its owner gave you')
    return "\n".join(lines) + "\n"


def toml_text(text: str) -> str:
    """``text`` as a TOML basic string: whatever a device calls itself, it stays a string."""
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f]", lambda match: f"\\u{ord(match[0]):04x}", quoted)


def toml_key(name: str) -> str:
    """``name`` as a TOML key: dots would be tables."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_text(name)


def _one_line(text: str) -> str:
    # A comment ends at the end of its line, and what follows would be configuration.
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)


def _word(said: str, words: Iterable[str]) -> str:
    """The first of ``words`` that begins a word of what is said: "tsc" is not meant in "Utsch"."""
    lowered = said.lower()
    return next(
        (one for one in words if re.search(rf"(?<![a-z0-9]){re.escape(one.lower())}", lowered)), ""
    )
