"""What the network announces by multicast DNS (RFC 6762, RFC 6763): printers and brokers.

Only listens and asks the standard questions. Nothing that answers is trusted for it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence

from zeroconf import IPVersion, ServiceBrowser, ServiceListener, Zeroconf

from edge_agent.devices.discovery.proposal import FoundService
from edge_contract.errors import Retryable

#: Printers first (raw port, IPP, LPD), then brokers (MQTT over TLS, MQTT).
SERVICES = ("_pdl-datastream._tcp", "_ipp._tcp", "_printer._tcp", "_secure-mqtt._tcp", "_mqtt._tcp")
#: Most services that are kept: a network can announce without end.
_MOST = 500
#: Most seconds to ask those that announced themselves where they are: one, and all together. What
#: was announced in full is known already.
_RESOLVE_S = 1.5
_RESOLVE_ALL_S = 5.0

Progress = Callable[[float, int], None]


class _Seen(ServiceListener):
    """Collects names only: the browser's thread must not wait for answers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[tuple[str, str], None] = {}

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        with self._lock:
            if len(self._names) < _MOST:
                self._names[type_, name] = None

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.add_service(zc, type_, name)

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        with self._lock:
            self._names.pop((type_, name), None)

    def names(self) -> list[tuple[str, str]]:
        with self._lock:
            return list(self._names)


def listen(
    seconds: float,
    interfaces: Sequence[str] = (),
    *,
    services: Sequence[str] = SERVICES,
    progress: Progress = lambda _left, _found: None,
    enough: Callable[[int], bool] = lambda _found: False,
) -> list[FoundService]:
    """Listen for ``seconds`` on these interfaces (addresses; none: all of them).

    ``progress`` hears about twice a second how long it takes yet and how much was found; ``enough``
    ends it early. Raises ``Retryable`` when the network cannot be listened to.
    """
    try:
        zeroconf = on_network(interfaces)
    except OSError as error:
        raise Retryable(
            f"The network cannot be listened to for announcements: {error.strerror or error}. "
            "Check that it is up and that UDP port 5353 is open, or name an address of this host "
            "with --interface."
        ) from error
    try:
        seen = _Seen()
        browser = ServiceBrowser(zeroconf, [f"{service}.local." for service in services], seen)
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not enough(len(seen.names())):
            progress(left, len(seen.names()))
            time.sleep(min(left, 0.5))
        patience = time.monotonic() + _RESOLVE_ALL_S
        found = [_resolved(zeroconf, type_, name, patience) for type_, name in seen.names()]
        browser.cancel()
    finally:
        zeroconf.close()
    return sorted(
        (service for service in found if service is not None),
        key=lambda service: (SERVICES.index(service.service), service.instance),
    )


def on_network(interfaces: Sequence[str]) -> Zeroconf:
    """Multicast DNS on these interfaces (none: all of them). Raises OSError."""
    for address in interfaces:
        # Zeroconf itself forgets to close its socket when an address is not this host's.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
            trial.bind((address, 0))
    if interfaces:
        return Zeroconf(interfaces=list(interfaces), ip_version=IPVersion.V4Only)
    return Zeroconf(ip_version=IPVersion.V4Only)


def _resolved(zeroconf: Zeroconf, type_: str, name: str, patience: float) -> FoundService | None:
    seconds = min(_RESOLVE_S, max(0.01, patience - time.monotonic()))
    info = zeroconf.get_service_info(type_, name, round(seconds * 1000))
    if info is None:  # announced, and gone or mute since
        return None
    return FoundService(
        service=type_.removesuffix(".local."),
        instance=name.removesuffix(f".{type_}"),
        host=(info.server or "").rstrip("."),
        addresses=tuple(info.parsed_addresses(IPVersion.V4Only)),
        port=info.port or 0,
        properties=tuple(
            (_text(key), _text(value)) for key, value in (info.properties or {}).items()
        ),
    )


def _text(value: bytes | str | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""
