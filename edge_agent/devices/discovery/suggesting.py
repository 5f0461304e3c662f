"""From everything found to suggestions, with what the configuration has already left out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge_agent.devices.discovery.proposal import (
    ADAPTERS,
    Claim,
    FoundPort,
    FoundService,
    Names,
    Suggestion,
    broker_table,
    device_table,
    rivals,
    service_claims,
)
from edge_agent.devices.profiles.resolve import ConfiguredDevice
from edge_agent.devices.profiles.schema import Profile

BROKERS = frozenset({"_secure-mqtt._tcp", "_mqtt._tcp"})


@dataclass(frozen=True, slots=True)
class Site:
    """What the configuration has already."""

    devices: Sequence[ConfiguredDevice] = ()
    broker: tuple[str, int] | None = None
    """Host and port."""


def suggest_port(
    port: FoundPort, claims: Sequence[Claim], names: Names, used_by: str | None, remark: str
) -> Suggestion:
    """What to do with a serial port. ``remark`` is what a probe has shown beside its answer."""
    if used_by is not None:
        why = f"the configuration uses it for {used_by}"
        return Suggestion("serial", port.stable, port.says, "configured", why)
    if not claims:
        adapter = ADAPTERS.get(port.usb or "")
        what = (
            f"a {adapter} adapter: what hangs on it cannot be seen"
            if adapter
            else "no profile knows it"
        )
        why = f"{what}{'; ' + remark if remark else ''}"
        return Suggestion("serial", port.stable, port.says, "unknown", why)
    best = claims[0]
    name = names.make(port.product or best.profile)
    return Suggestion(
        "serial",
        port.stable,
        port.says,
        best.sure,
        f"{best.why}{'; ' + remark if remark else ''}",
        name,
        best.profile,
        rivals(claims),
        device_table(name, "port", port.stable, claims),
    )


def suggest_services(
    services: Iterable[FoundService],
    profiles: Mapping[str, Profile],
    site: Site,
    names: Names,
) -> list[Suggestion]:
    """What to do with what the network announces: one suggestion a device."""
    brokers = [service for service in services if service.service in BROKERS]
    hosts: dict[str, list[FoundService]] = {}
    for service in services:
        if service.service not in BROKERS:
            hosts.setdefault(_address(service), []).append(service)
    found = [_printer(host, of_host, profiles, site, names) for host, of_host in hosts.items()]
    for service in brokers:  # a configuration has one
        found.append(
            _broker(service, site, any(one.kind == "broker" and one.toml for one in found))
        )
    return found


def _printer(
    host: str,
    services: Sequence[FoundService],
    profiles: Mapping[str, Profile],
    site: Site,
    names: Names,
) -> Suggestion:
    says = max((service.says for service in services), key=len)
    known = {host, services[0].host}
    for device in site.devices:
        if device.transport == "tcp" and device.address.rpartition(":")[0] in known:
            why = f"the configuration has it as {device.name}"
            return Suggestion("network", host, says, "configured", why)
    claims = service_claims(services, profiles)
    if not claims:
        types = ", ".join(sorted({service.service for service in services}))
        return Suggestion("network", host, says, "unknown", f"no profile knows it; it has {types}")
    best = claims[0]
    address = _with_port(host, services, profiles[best.profile])
    name = names.make(services[0].instance)
    return Suggestion(
        "network",
        host,
        says,
        best.sure,
        best.why,
        name,
        best.profile,
        rivals(claims),
        device_table(name, "host", address, claims),
    )


def _with_port(host: str, services: Sequence[FoundService], profile: Profile) -> str:
    usual = profile.tcp.port if profile.tcp is not None else None
    for service in services:
        if service.service == "_pdl-datastream._tcp" and service.port not in (0, usual):
            return f"{host}:{service.port}"
    return host


def _broker(service: FoundService, site: Site, another: bool) -> Suggestion:
    address = _address(service)
    where = f"{address}:{service.port}"
    told = dict(service.properties)
    says = f"{service.instance} (site {told['site']})" if told.get("site") else service.instance
    if site.broker is not None:
        if site.broker in ((address, service.port), (service.host, service.port)):
            return Suggestion("broker", where, says, "configured", "it is the [mqtt] broker")
        why = f"the configuration has another broker, {site.broker[0]}:{site.broker[1]}"
        return Suggestion("broker", where, says, "unknown", why)
    if another:
        why = f"it announces {service.service}; a configuration has one broker: choose"
        return Suggestion("broker", where, says, "possible", why)
    why = f"it announces {service.service}; anyone can, so ask who runs it"
    toml = broker_table(service, address)
    return Suggestion("broker", where, says, "possible", why, "mqtt", toml=toml)


def _address(service: FoundService) -> str:
    return service.addresses[0] if service.addresses else service.host
