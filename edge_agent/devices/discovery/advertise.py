"""The agent tells its network where the site's broker is (DNS-SD: ``_secure-mqtt._tcp`` with TLS,
else ``_mqtt._tcp``), so that a handheld need not have an address typed in.

Off unless configured, and then nothing of it is loaded. It says where, never who may: a device
still needs its user and, with TLS, the certificate to trust.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_contract.errors import Retryable

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, Zeroconf

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Advert:
    """What is told."""

    site: str
    agent: str
    version: str
    host: str
    """Of the broker, as the agent reaches it. On a loopback address it is this host itself."""
    port: int
    encrypted: bool
    interfaces: tuple[str, ...] = ()
    """Addresses of this host whose networks are told; none: all of them."""


class BrokerAdvert:
    """Tells it from :meth:`start` to :meth:`stop`. Both block for up to some seconds."""

    def __init__(self, advert: Advert) -> None:
        self._advert = advert
        self._zeroconf: Zeroconf | None = None
        self._service: ServiceInfo | None = None

    def start(self) -> None:
        """Begin. Raises ``Retryable`` when the network does not let us: nobody is told then."""
        from zeroconf import Error

        from edge_agent.devices.discovery.mdns import on_network

        service = service_info(self._advert)
        zeroconf: Zeroconf | None = None
        try:
            zeroconf = on_network(self._advert.interfaces)
            zeroconf.register_service(service, allow_name_change=True)
        except (OSError, Error) as error:
            if zeroconf is not None:
                zeroconf.close()
            raise Retryable(
                f"The broker cannot be announced to the network: {error!r}. Check that UDP port "
                "5353 is open, or set [discovery] advertise = false."
            ) from error
        self._zeroconf, self._service = zeroconf, service
        _log.info("The network is told of the broker at port %s.", self._advert.port)

    def stop(self) -> None:
        """Take it back, so that nobody looks for it until their memory of it ends."""
        zeroconf, self._zeroconf = self._zeroconf, None
        if zeroconf is None or self._service is None:
            return
        with contextlib.suppress(OSError):
            zeroconf.unregister_service(self._service)
        zeroconf.close()


def service_info(advert: Advert) -> ServiceInfo:
    """The announcement: an instance a site and agent, with both in its TXT record."""
    from zeroconf import ServiceInfo

    kind = "_secure-mqtt._tcp.local." if advert.encrypted else "_mqtt._tcp.local."
    name = f"warehouse {advert.site} {advert.agent}"[:63].rstrip()
    host = socket.gethostname().partition(".")[0] or "warehouse-edge"
    return ServiceInfo(
        kind,
        f"{name}.{kind}",
        parsed_addresses=_addresses(advert.host, advert.interfaces),
        port=advert.port,
        properties={"site": advert.site, "agent": advert.agent, "version": advert.version},
        server=f"{host}.local.",
    )


def _addresses(host: str, interfaces: Sequence[str]) -> list[str]:
    """Where a device finds the broker."""
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(host, None, socket.AF_INET)}
    except OSError:
        found = set()
    if found and not all(address.startswith("127.") for address in found):
        return sorted(found)
    if interfaces:
        return list(interfaces)
    from zeroconf import get_all_addresses  # type: ignore[attr-defined] # in its __all__ it is not

    return sorted(one for one in get_all_addresses() if not one.startswith("127.")) or ["127.0.0.1"]
