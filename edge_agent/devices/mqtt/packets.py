"""The two packets of the hot path, PUBLISH and PUBACK, in MQTT 5. Pure: bytes in, packets out.

Source: OASIS MQTT Version 5.0, sections 2.1, 3.3 and 3.4. Everything else a broker sends is cut
out whole and left to paho, which spends 100 µs on each message where these take 10. Memory stays
bounded whatever a device publishes: of a large payload only the head is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

_MID = Struct("!H")
_PUBACK = Struct("!BBH")
_PUBLISH_TYPE, _PUBACK_TYPE = 0x30, 0x40
#: A PUBLISH that is longer than this is skipped over as it comes in, once its head is kept.
_LARGE = 256 * 1024
#: Longest topic (2 bytes of length) and properties that are looked through for the payload.
_HEADERS = 2 + 65535 + 2 + 65536


@dataclass(frozen=True, slots=True)
class Publish:
    """A message from the broker; ``payload`` is at most its head, ``size`` how long it was."""

    topic: str
    payload: bytes
    size: int
    mid: int
    qos: int
    retained: bool
    again: bool = False
    """The broker delivers it once more (DUP): it was never acknowledged."""


@dataclass(frozen=True, slots=True)
class Puback:
    """The broker took our message, or with a ``reason`` of 128 and more refused it."""

    mid: int
    reason: int


class MalformedPacket(Exception):
    """The broker, or what answers in its place, does not speak MQTT 5."""


class PacketCutter:
    """Cuts a byte stream into packets."""

    def __init__(self, head: int) -> None:
        """``head`` is how much of a payload is kept."""
        self._head = head
        self._data = b""
        self._position = 0
        self._large: Publish | None = None
        self._skip = 0
        """Bytes of the large packet that are still to come."""

    def feed(self, data: bytes) -> None:
        rest = self._data[self._position :]
        self._data = rest + data if rest else data
        self._position = 0

    def next(self) -> Publish | Puback | bytes | None:
        """The next whole packet; bytes when it is one for paho, ``None`` when none is complete.

        Raises :class:`MalformedPacket`.
        """
        if self._large is not None:
            return self._pass_over()
        data, start = self._data, self._position
        available = len(data) - start
        if available < 2:
            return None
        length = data[start + 1]
        body = start + 2
        if length > 127:
            length, body = _variable_length(data, start + 1)
            if body < 0:
                return None
        end = body + length
        kind = data[start] & 0xF0
        if end > len(data):
            if kind == _PUBLISH_TYPE and length > _LARGE:
                self._begin_large(data[start], body, length)
            return None
        self._position = end
        if kind == _PUBLISH_TYPE:
            return self._publish(data[start], data, body, end, length)
        if kind == _PUBACK_TYPE:
            if length < 2:
                raise MalformedPacket("a PUBACK without a packet id")
            return Puback(_MID.unpack_from(data, body)[0], data[body + 2] if length > 2 else 0)
        return data[start:end]

    def _publish(self, first: int, data: bytes, body: int, end: int, length: int) -> Publish:
        """The PUBLISH in ``data[body:]``, of which ``end`` is what is there and ``length`` all."""
        qos = (first >> 1) & 3
        if qos > 1:
            raise MalformedPacket(f"a PUBLISH with QoS {qos}, which was not subscribed to")
        after = body + 2 + _MID.unpack_from(data, body)[0] if end - body >= 2 else end + 1
        topic, mid = data[body + 2 : after], 0
        if qos and after + 2 <= end:
            mid = _MID.unpack_from(data, after)[0]
        after += 2 if qos else 0
        if after >= end or (qos and not mid):
            raise MalformedPacket("a PUBLISH that ends before its payload")
        properties, after = _variable_length(data, after)
        if after < 0 or after + properties > end:
            raise MalformedPacket("a PUBLISH with broken properties")
        payload = after + properties
        size = body + length - payload
        return Publish(
            topic.decode(errors="replace"),
            data[payload : min(end, payload + self._head)],
            size,
            mid,
            qos,
            bool(first & 1),
            bool(first & 8),
        )

    def _begin_large(self, first: int, body: int, length: int) -> None:
        """Keep the head of a PUBLISH as soon as it is there, and let the rest pass by."""
        there = len(self._data)
        if there - body < _HEADERS + self._head:
            return
        self._large = self._publish(first, self._data, body, there, length)
        self._skip = length - (there - body)
        self._data, self._position = b"", 0
        return

    def _pass_over(self) -> Publish | None:
        there = len(self._data) - self._position
        if there < self._skip:
            self._skip -= there
            self._data, self._position = b"", 0
            return None
        self._position += self._skip
        large, self._large, self._skip = self._large, None, 0
        return large


def _variable_length(data: bytes, at: int) -> tuple[int, int]:
    """A variable byte integer and where it ends; -1 for the end when it is incomplete."""
    value = shift = 0
    for index in range(at, min(at + 4, len(data))):
        value |= (data[index] & 0x7F) << shift
        if data[index] < 0x80:
            return value, index + 1
        shift += 7
    if len(data) - at >= 4:
        raise MalformedPacket("a length of more than four bytes")
    return 0, -1


def publish(topic: str, payload: bytes, mid: int, *, retain: bool = False) -> bytes:
    """A PUBLISH with QoS 1 and no properties."""
    name = topic.encode()
    length = 2 + len(name) + 2 + 1 + len(payload)
    head = bytearray((_PUBLISH_TYPE | 0x02 | retain,))
    while length > 127:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return b"".join((head, _MID.pack(len(name)), name, _MID.pack(mid), b"\0", payload))


def puback(mid: int) -> bytes:
    """A PUBACK that says success."""
    return _PUBACK.pack(_PUBACK_TYPE, 2, mid)
