"""One whole discovery: ports, probes where there is consent, announcements, suggestions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge_agent.devices.discovery import mdns
from edge_agent.devices.discovery.probing import OpenPort, open_port, probe, probed_claims
from edge_agent.devices.discovery.proposal import (
    Claim,
    FoundPort,
    FoundService,
    Names,
    Suggestion,
    port_claims,
)
from edge_agent.devices.discovery.serial import busy, list_ports, named_port, same_port
from edge_agent.devices.discovery.suggesting import Site, suggest_port, suggest_services
from edge_agent.devices.profiles.schema import Profile
from edge_contract.errors import Retryable


@dataclass(frozen=True, slots=True)
class Wish:
    """What whoever runs the discovery wants."""

    probe: bool = False
    """Consent to write to ports that a profile claims."""
    ports: Sequence[str] = ()
    """Ports named by the user: any profile may be tried there."""
    only: Sequence[str] = ()
    """Profiles to try; none: all."""
    seconds: float = 5.0
    """How long to listen to the network; 0: not at all."""
    interfaces: Sequence[str] = ()


@dataclass(slots=True)
class Findings:
    """What a discovery brings home."""

    suggestions: list[Suggestion] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    """What could not be looked at, a sentence each."""

    def document(self) -> dict[str, Any]:
        """For scripts."""
        found = [suggestion.document() for suggestion in self.suggestions]
        return {"found": found, "troubles": self.troubles}


def discover(
    wish: Wish,
    profiles: Mapping[str, Profile],
    site: Site,
    *,
    tell: Callable[[str], None] = lambda _said: None,
    ports: Callable[[], list[FoundPort]] = list_ports,
    used: Callable[[str], str] = busy,
    opened: OpenPort = open_port,
    listen: Callable[..., list[FoundService]] = mdns.listen,
) -> Findings:
    """Look at everything once. ``tell`` hears what is being done."""
    findings = Findings()
    names = Names(device.name for device in site.devices)
    chosen = {name: one for name, one in profiles.items() if not wish.only or name in wish.only}
    for port, named in _all_ports(wish, ports()):
        findings.suggestions.append(
            _port(port, named, wish, chosen, site, names, tell, used, opened)
        )
    if wish.seconds > 0:
        try:
            services = listen(wish.seconds, wish.interfaces, progress=_listening(tell))
        except Retryable as error:
            findings.troubles.append(str(error))
        else:
            findings.suggestions += suggest_services(services, profiles, site, names)
    return findings


def _all_ports(wish: Wish, known: list[FoundPort]) -> list[tuple[FoundPort, bool]]:
    named = [named_port(address, known) for address in wish.ports]
    paths = {port.path for port in named}
    return [(port, True) for port in named] + [
        (port, False) for port in known if port.path not in paths
    ]


def _port(
    port: FoundPort,
    named: bool,
    wish: Wish,
    profiles: Mapping[str, Profile],
    site: Site,
    names: Names,
    tell: Callable[[str], None],
    used: Callable[[str], str],
    opened: OpenPort,
) -> Suggestion:
    claims = port_claims(port, profiles)
    for device in site.devices:
        if device.transport == "serial" and (
            same_port(device.address, port.path) or same_port(device.address, port.stable)
        ):
            return suggest_port(port, claims, names, device.name, "")
    asked = _to_ask(port, named, claims, profiles) if wish.probe else []
    if not asked:
        may = bool(_to_ask(port, named, claims, profiles)) and not wish.probe
        return suggest_port(port, claims, names, None, "--probe would ask it" if may else "")
    if holder := used(port.path):
        return suggest_port(port, claims, names, None, f"not asked: {holder} uses it")
    tell(f"Asking {port.stable} as {', '.join(asked)}")
    results = probe(port.path, asked, profiles, opened=opened)
    remark = ""
    if results and results[-1].trouble:
        remark = f"it {results[-1].trouble}"
    elif not any(result.matched for result in results):
        heard = any(result.heard for result in results)
        remark = "it answered something else" if heard else "it did not answer"
        remark += f" when asked as {', '.join(result.profile for result in results)}"
    return suggest_port(port, probed_claims(claims, results), names, None, remark)


def _to_ask(
    port: FoundPort, named: bool, claims: Sequence[Claim], profiles: Mapping[str, Profile]
) -> list[str]:
    """The profiles that may ask at this port: by its USB ids, or any where the user named it."""
    by_ids = [c.profile for c in claims if port.usb in profiles[c.profile].discovery.usb]
    if named:
        by_ids += [name for name in profiles if name not in by_ids]
    return [
        name
        for name in by_ids
        if profiles[name].serial is not None and profiles[name].discovery.probe is not None
    ]


def _listening(tell: Callable[[str], None]) -> mdns.Progress:
    def progress(left: float, found: int) -> None:
        tell(f"Listening to the network, {left:.0f} s more: {found} announced")

    return progress
