import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.devices.mqtt.packets import (
    MalformedPacket,
    PacketCutter,
    Puback,
    Publish,
    puback,
    publish,
)

HEAD = 64 * 1024
PINGRESP = b"\xd0\x00"


def variable(length: int) -> bytes:
    out = bytearray()
    while length > 127:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    out.append(length)
    return bytes(out)


def message(
    topic: bytes, payload: bytes, *, mid: int = 7, qos: int = 1, properties: bytes = b""
) -> bytes:
    """A PUBLISH as a broker may send it, with properties."""
    identity = struct.pack("!H", mid) if qos else b""
    head = struct.pack("!H", len(topic)) + topic + identity + variable(len(properties)) + properties
    return bytes([0x30 | qos << 1]) + variable(len(head) + len(payload)) + head + payload


def cut(cutter: PacketCutter, data: bytes) -> list[Publish | Puback | bytes]:
    cutter.feed(data)
    found = []
    while (packet := cutter.next()) is not None:
        found.append(packet)
    return found


@given(st.text(min_size=1), st.binary(max_size=400), st.integers(1, 65535), st.booleans())
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read(topic: str, payload: bytes, mid: int, retain: bool) -> None:
    data = publish(topic, payload, mid, retain=retain)
    assert data[1:] == message(topic.encode(), payload, mid=mid)[1:]
    assert cut(PacketCutter(HEAD), data) == [Publish(topic, payload, len(payload), mid, 1, retain)]


@given(st.lists(st.integers(1, 40), max_size=60))
@settings(max_examples=50, deadline=None)
def test_packets_come_out_whole_however_the_stream_is_cut(sizes: list[int]) -> None:
    stream = (
        message(b"wh/v1/h1/event", b"x" * 200, properties=b"\x01\x01")
        + PINGRESP
        + puback(3)
        + b"\x40\x03\x00\x04\x87"
        + message(b"t", b"", qos=0)
        + b"\x20\x05\x01\x00\x02\x11\x00"
        + message(b"wh/v1/h2/status", b"y", mid=8)
    )
    cutter, found, start = PacketCutter(HEAD), [], 0
    for size in [*sizes, len(stream)]:
        found += cut(cutter, stream[start : start + size])
        start += size
    assert found == [
        Publish("wh/v1/h1/event", b"x" * 200, 200, 7, 1, False),
        PINGRESP,
        Puback(3, 0),
        Puback(4, 0x87),
        Publish("t", b"", 0, 0, 0, False),
        b"\x20\x05\x01\x00\x02\x11\x00",
        Publish("wh/v1/h2/status", b"y", 1, 8, 1, False),
    ]


@pytest.mark.parametrize("step", [1000, 65_536, 1 << 30])
@pytest.mark.parametrize("size", [HEAD - 1, HEAD + 1, 256 * 1024 - 30, 256 * 1024, 3_000_000])
def test_of_a_large_payload_the_head_is_kept_and_memory_stays_small(size: int, step: int) -> None:
    payload = bytes(range(256)) * (size // 256) + b"z" * (size % 256)
    stream = message(b"wh/v1/h1/event", payload) + PINGRESP
    cutter, found, most = PacketCutter(HEAD), [], 0
    for start in range(0, len(stream), step):
        found += cut(cutter, stream[start : start + step])
        most = max(most, len(cutter._data))
    assert found == [Publish("wh/v1/h1/event", payload[:HEAD], size, 7, 1, False), PINGRESP]
    assert most <= min(step, len(stream)) + 260 * 1024


@pytest.mark.parametrize(
    "data",
    [
        b"\x34\x05\x00\x01t\x00\x01",
        b"\x32\x04\x00\x01t\x00",
        b"\x32\x06\x00\x01t\x00\x00\x00",
        b"\x32\x05\x00\x09t\x00\x01",
        b"\x30\x00",
        b"\x30\x04\x00\x01t\x7f",
        b"\x32\xff\xff\xff\xff\x01",
        b"\x40\x01\x00",
    ],
)
def test_what_is_no_mqtt_5_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedPacket):
        cut(PacketCutter(HEAD), data)


def test_a_topic_that_is_no_text_is_still_a_message() -> None:
    (packet,) = cut(PacketCutter(HEAD), message(b"wh/\xff", b"x"))
    assert isinstance(packet, Publish)
    assert packet.topic == "wh/\ufffd"


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        cut(PacketCutter(HEAD), data)
    except MalformedPacket:
        return
