"""One connection to the broker, driven by the thread that made it.

A session object lives as long as its connection and is never used again, so an acknowledgement
cannot reach a connection other than the one its message came in on: paho itself checks neither
the connection nor the order, and a late one would acknowledge a message nobody has stored.
"""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.devices.mqtt.buffered import PacketClient, PacketSocket
from edge_agent.devices.mqtt.feedback import Outgoing
from edge_agent.devices.mqtt.packets import MalformedPacket, Puback, Publish, puback, publish
from edge_agent.devices.mqtt.profiles import MAX_PAYLOAD_BYTES
from edge_agent.devices.settings import MqttSettings, MqttTls
from edge_contract.errors import NeedsOperator
from edge_contract.event import MAX_EVENT_BYTES
from edge_contract.mqtt import AGENT_STATUS_TOPIC, EVENT_FILTER, STATUS_FILTER

#: Most answers that may be on their way to the broker unacknowledged, if it allows as many.
_WINDOW = 1000
#: Packet ids up to here are left to paho.
_PAHO_MIDS = 100
#: Reason of a DISCONNECT: another connection came with our client id.
_TAKEN_OVER = 0x8E
#: Fewer messages in flight than this make a backlog slow to deliver.
_FEW_IN_FLIGHT = 100


@dataclass(slots=True)
class Packet:
    """One message with the session it came in on."""

    session: Session
    said: Publish
    told: bool = False
    """Its device heard that it is refused for now."""


class Session:
    """A connection from CONNECT to its end. Every method belongs to one thread."""

    def __init__(
        self,
        settings: MqttSettings,
        offline: bytes,
        filters: Mapping[str, str] | None = None,
        status_filters: Mapping[str, str] | None = None,
        former: Iterable[str] = (),
    ) -> None:
        """Open the socket and send CONNECT; raises OSError. ``offline`` is the last will,
        ``filters`` the topics of devices that have their own, each with the section that wants it,
        ``status_filters`` those on which they say how they are; ``former`` is what earlier
        configurations subscribed to."""
        self._states = frozenset(status_filters or ())
        self._filters = {**(filters or {}), **(status_filters or {})}
        self._former = [one for one in former if one not in self._filters]
        self.since = time.monotonic()
        self.connected = False
        self.subscribed = False
        self.session_present = False
        self.ended: str | None = None
        """Why the connection is over, as a sentence."""
        self.packets: deque[Packet] = deque()
        self.findings: tuple[str, ...] = ()
        """What is wrong with the broker's configuration, one sentence each."""
        self.refused = 0
        """Messages of ours that the broker would not take."""
        self._flight: dict[int, tuple[str, bytes] | None] = {}
        """Published and not acknowledged by packet id; ``None`` for what is not to be repeated."""
        self._mid = 0
        self._expiry_s = settings.session_expiry_s
        self._window = _WINDOW
        self._client = client = PacketClient(
            CallbackAPIVersion.VERSION2, settings.client_id, protocol=MQTTv5
        )
        client.head = MAX_PAYLOAD_BYTES if self._filters else MAX_EVENT_BYTES
        client.connect_timeout = settings.connect_timeout_s
        if settings.username is not None:
            client.username_pw_set(settings.username, settings.password_text())
        if settings.tls is not None:
            client.tls_set_context(tls_context(settings.tls))
        client.will_set(AGENT_STATUS_TOPIC, offline, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        # With this set paho only queues what it sends; service() writes it in one piece.
        client.on_socket_register_write = lambda *_: None
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho
        properties.SessionExpiryInterval = settings.session_expiry_s
        properties.ReceiveMaximum = settings.receive_maximum
        client.connect(
            settings.host,
            settings.port,
            settings.keepalive_s,
            clean_start=False,
            properties=properties,
        )

    @property
    def alive(self) -> bool:
        return self.ended is None and self._client.socket() is not None

    @property
    def _socket(self) -> PacketSocket | None:
        return self._client.packets

    def fileno(self) -> int:
        return self._socket.fileno() if self._socket else -1

    def wants_write(self) -> bool:
        return bool(self._socket and self._socket.unsent) or self._client.want_write()

    def read(self, most: int) -> bool:
        """Read until ``most`` packets wait in :attr:`packets`; false when there is no more now."""
        sock = self._socket
        while self.alive and sock is not None and len(self.packets) < most:
            try:
                packet = sock.next()
            except (OSError, MalformedPacket) as error:
                self.close(f"The connection to the broker broke: {error}.")
                return False
            if packet is None:
                return False
            if packet == "paho":
                self._client.loop_read()
            elif isinstance(packet, Puback):
                self._flight.pop(packet.mid, None)
                self.refused += packet.reason >= 128
            else:
                self.packets.append(Packet(self, packet))
        return self.alive

    def service(self) -> None:
        """Write what waits to be written, and keep the connection alive."""
        if self.alive:
            self._client.loop_write()
        if self._socket is not None and self.alive:
            try:
                self._socket.flush()
            except OSError as error:
                self.close(f"The connection broke while writing: {error}.")
        if self.alive:
            self._client.loop_misc()

    def acknowledge(self, packet: Packet) -> bool:
        """Queue the PUBACK of a packet of *this* session; false when it is too late for that."""
        if packet.session is not self or not self.alive or self._socket is None:
            return False
        if packet.said.qos:
            self._socket.put(puback(packet.said.mid))
        return True

    def send(self, outgoing: Outgoing) -> None:
        """Hand the broker as much of ``outgoing`` as its window allows."""
        room = self._window - len(self._flight)
        if room <= 0 or not self.connected or not self.alive:
            return
        for topic, payload in outgoing.take(room):
            self._publish(topic, payload, (topic, payload))

    def announce(self, topic: str, payload: bytes) -> bool:
        """Publish a retained message; false when the connection is gone."""
        if not self.alive or not self.connected:
            return False
        self._publish(topic, payload, None, retain=True)
        return True

    def _publish(
        self, topic: str, payload: bytes, again: tuple[str, bytes] | None, retain: bool = False
    ) -> None:
        mid = self._mid
        while True:
            mid = mid % 65535 + 1
            # paho's own packet ids are the first few: it sends nothing but a subscription
            if mid > _PAHO_MIDS and mid not in self._flight:
                break
        self._mid = mid
        self._flight[mid] = again
        if self._socket is not None:
            self._socket.put(publish(topic, payload, mid, retain=retain))

    def unconfirmed(self) -> list[tuple[str, bytes]]:
        """What was published and not acknowledged by the broker: to be sent again."""
        return [again for again in self._flight.values() if again is not None]

    def disconnect(self) -> None:
        """Leave in order; the broker keeps the session."""
        if self.alive:
            self._client.disconnect()
            self._client.loop_write()
        self.close("The agent left.")

    def close(self, why: str) -> None:
        if self.ended is None:
            self.ended = why
        if self._socket is not None:
            self._socket.close()

    # Callbacks of paho: they note and do nothing else, because what they raise ends its loop.

    def _on_connect(
        self, client: Any, data: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self.ended = (
                f"The broker refused the connection: {reason.getName()}. "
                "Check username, password_file and the broker's users."
            )
            return
        self.session_present = bool(flags.session_present)
        limit = getattr(properties, "ReceiveMaximum", None)
        self._window = min(_WINDOW, limit) if limit else _WINDOW
        self.findings = _findings(properties, self._expiry_s)
        self.connected = True
        client.subscribe(
            [
                (EVENT_FILTER, SubscribeOptions(qos=1, noLocal=True, retainHandling=2)),
                (STATUS_FILTER, SubscribeOptions(qos=1, noLocal=True)),
                *((topics, self._options(topics)) for topics in self._filters),
            ]
        )
        if self._former and self.session_present:
            client.unsubscribe(self._former)

    def _options(self, topics: str) -> SubscribeOptions:
        # A retained read comes once, when the broker does not know us yet; a state every time.
        handling = 0 if topics in self._states else 1
        return SubscribeOptions(qos=1, noLocal=True, retainHandling=handling)

    def _on_subscribe(
        self, client: Any, data: Any, mid: int, reasons: list[ReasonCode], properties: Any
    ) -> None:
        refused = [reason for reason in reasons[:2] if reason.is_failure]
        if refused:
            self.ended = (
                f"The broker refused the subscription to {EVENT_FILTER}: {refused[0].getName()}. "
                "Let its access list allow the agent to read it."
            )
        self.findings += tuple(
            f"The broker refused the subscription to {topics} of [devices.{section}]: "
            f"{reason.getName()}. Let its access list allow the agent to read it."
            for (topics, section), reason in zip(self._filters.items(), reasons[2:], strict=False)
            if reason.is_failure
        )
        self.subscribed = not refused

    def _on_disconnect(
        self, client: Any, data: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        if self.ended is None:
            self.ended = f"The connection to the broker ended: {reason.getName()}."
            if reason.value == _TAKEN_OVER:
                self.ended += " Another agent uses the same client_id: give each its own."


def _findings(properties: Properties | None, wanted_expiry_s: int) -> tuple[str, ...]:
    """What the broker's CONNACK shows of its configuration that will hurt later."""
    found = []
    expiry = getattr(properties, "SessionExpiryInterval", None)
    if expiry is not None and expiry < wanted_expiry_s:
        found.append(
            f"The broker forgets the agent's session after {expiry} s instead of "
            f"{wanted_expiry_s} s: raise persistent_client_expiration."
        )
    limit = getattr(properties, "ReceiveMaximum", None)
    if limit is not None and limit < _FEW_IN_FLIGHT:
        found.append(
            f"The broker allows {limit} messages in flight: raise max_inflight_messages to 1000."
        )
    if getattr(properties, "RetainAvailable", 1) == 0:
        found.append("The broker keeps no retained messages: devices cannot see the agent's state.")
    size = getattr(properties, "MaximumPacketSize", None)
    if size is not None and size < MAX_EVENT_BYTES:
        found.append(f"The broker takes packets of at most {size} bytes: raise max_packet_size.")
    return tuple(found)


def tls_context(tls: MqttTls) -> ssl.SSLContext:
    """Raises ``NeedsOperator`` (``configuration``) when a file cannot be used."""
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except (OSError, ssl.SSLError) as error:
        raise NeedsOperator(
            "configuration",
            f"mqtt.tls: {tls.ca_file or 'the system CAs'}"
            f"{f' or {tls.cert_file}' if tls.cert_file else ''} cannot be used: "
            f"{error.strerror or error}.",
            "Put certificates (and a key, if any) there as PEM, readable by the agent's user.",
        ) from None
    return context
