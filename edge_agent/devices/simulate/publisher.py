"""A reader or an app at a broker, with topics and JSON of its own."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from paho.mqtt.client import Client, MQTTMessageInfo, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

#: So long the broker may take to let it in.
_PATIENCE_S = 10.0
#: Longest wait between two tries to reach the broker.
_RETRY_S = 1


class MqttPublisher:
    """A device with topics of its own: it publishes and knows only whether the broker has it."""

    def __init__(
        self,
        client_id: str,
        host: str,
        port: int,
        *,
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        self.published: list[MQTTMessageInfo] = []
        self._reasons: dict[int, ReasonCode] = {}
        self._answered = threading.Event()
        self._refusal = ""
        self._address = (host, port)
        self._client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.reconnect_delay_set(_RETRY_S, _RETRY_S)
        if username is not None:
            self._client.username_pw_set(username, password)

    def __enter__(self) -> MqttPublisher:
        """Raises OSError when the broker cannot be reached or lets it not in."""
        self._client.connect(*self._address, keepalive=20)
        self._client.loop_start()
        if not self._answered.wait(_PATIENCE_S) or self._refusal:
            self._client.disconnect()
            self._client.loop_stop()
            raise ConnectionRefusedError(f"the broker says {self._refusal or 'nothing'}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes) -> MQTTMessageInfo:
        """Publish with QoS 1; kept and sent again by the client until the broker has it."""
        info = self._client.publish(topic, payload, qos=1)
        self.published.append(info)
        return info

    def taken(self, info: MQTTMessageInfo) -> bool:
        """Whether the broker has the message for somebody: it may also refuse it, or have nobody
        to keep it for."""
        return not self.trouble(info)

    def trouble(self, info: MQTTMessageInfo) -> str:
        """What the broker said about a message that it did not take; empty when it did."""
        reason = self._reasons.get(info.mid)
        if reason is None:
            return "no answer yet"
        return "" if reason.value == 0 else str(reason).lower()

    def wait_taken(self, timeout: float) -> None:
        """Wait until the broker has everything. Raises TimeoutError."""
        for info in self.published:
            info.wait_for_publish(timeout)
            if not info.is_published():
                raise TimeoutError(f"the broker did not take everything within {timeout:g} s")

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._refusal = str(reason).lower() if reason.is_failure else ""
        self._answered.set()

    def _on_publish(self, client: Any, data: Any, mid: int, reason: Any, properties: Any) -> None:
        self._reasons[mid] = reason
