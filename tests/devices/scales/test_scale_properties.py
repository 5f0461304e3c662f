"""What holds for every scale protocol, on weights, streams and bytes of any kind."""

from __future__ import annotations

import itertools
import re
import time
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.devices.scales.codec import ScaleCodec, scale_codec, start_bytes
from edge_agent.devices.scales.decoding import SCALE_PROTOCOLS, decode_scale
from edge_agent.devices.scales.encoding import Fault, encode
from edge_agent.devices.scales.framing import Lines
from edge_agent.devices.scales.profile import ScaleProfile, ScaleProtocol
from edge_agent.devices.scales.reading import ScaleReading
from tests.devices.scales.trying import shipped

#: What each shipped profile can say: its units, and whether it knows motion, sign and mode.
UNITS = {
    "mt-sics": ["kg", "g", "lb", "oz", "pcs", "ozt", "%"],
    "toledo-8217": [None],
    "toledo-8213": [None],
    "toledo-continuous": ["kg", "g", "lb", "oz", "t", "short ton"],
    "nci-scp01": ["kg", "g", "lb", "oz"],
    "sma": ["kg", "g", "lb", "oz", "pcs"],
    "and-standard": ["kg", "g", "lb", "oz", "pcs", "%"],
    "sartorius-sbi": ["kg", "g", "lb", "ozt", "pcs"],
    "ohaus": ["kg", "g", "lb", "oz", "pcs"],
    "adam": ["kg", "g", "lb", "oz", "pcs"],
}
NAMES = sorted(UNITS)
CODES = {"kg": "KGM", "g": "GRM", "lb": "LBR", "oz": "ONZ", "pcs": "H87", "ozt": "APZ", "%": "P1"}
CODES |= {"t": "TNE", "short ton": "STN"}
PROFILES = {name: shipped(name) for name in NAMES}
DEMAND = {"toledo-8217", "toledo-8213"}
"""They answer with a status instead of a weight in motion or below zero."""
FAULTS: list[Fault] = list(get_args(Fault))


@st.composite
def weights(draw: st.DrawFn) -> str:
    """A weight of up to five digits, as a display shows it."""
    number = Decimal(draw(st.integers(0, 99999))).scaleb(-draw(st.integers(0, 4)))
    return ("-" if draw(st.booleans()) else "") + format(number, "f")


def framed(codec: ScaleCodec, pieces: list[bytes]) -> list[ScaleReading]:
    framer = codec.framer()
    return [codec.decode(frame) for piece in pieces for frame in framer.feed(piece)]


def faults_of(name: str) -> list[tuple[Fault, bytes]]:
    found = []
    for fault in FAULTS:
        try:
            found.append((fault, encode(PROFILES[name], fault=fault, value="1.50", unit="kg")))
        except ValueError:
            continue
    assert found
    return found


def test_every_protocol_has_a_shipped_profile() -> None:
    spoken = {profile.protocol for profile in PROFILES.values()}
    assert spoken == set(get_args(ScaleProtocol))
    assert set(SCALE_PROTOCOLS) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_weight_encodes_and_decodes_to_itself(name: str, data: st.DataObject) -> None:
    value = data.draw(weights())
    unit = data.draw(st.sampled_from(UNITS[name]))
    stable = data.draw(st.booleans())
    if name in DEMAND:
        value, stable = value.lstrip("-"), True
    frame = encode(PROFILES[name], value=value, unit=unit or "kg", stable=stable)
    reading = scale_codec(PROFILES[name]).decode(frame)
    assert reading.status == "ok", (frame, reading)
    assert reading.value == value
    if unit is not None and (stable or name != "sartorius-sbi"):
        assert (reading.unit, reading.unece) == (unit, CODES[unit])
    if name != "adam":
        assert reading.stable is stable
    assert scale_codec(PROFILES[name]).decode(frame.strip(b"\r\n\x02\x03")).value == value or (
        PROFILES[name].checksum  # its last byte may be any, CR too
    )


@pytest.mark.parametrize("name", NAMES)
def test_any_fault_decodes_to_itself_and_never_to_a_weight(name: str) -> None:
    codec = scale_codec(PROFILES[name])
    for fault, frame in faults_of(name):
        reading = codec.decode(frame)
        assert reading.value is None
        assert reading.status == ("busy" if (name, fault) == ("mt-sics", "motion") else fault)


def damaged_faults(name: str) -> list[bytes]:
    """Every fault a profile can say, cut at every place and with every single bit flipped."""
    frames = []
    for _, frame in faults_of(name):
        for index, byte in enumerate(frame):
            frames += [frame[:index], frame[index:], frame[:index] + frame[index + 1 :]]
            frames += [
                frame[:index] + bytes([byte ^ 1 << bit]) + frame[index + 1 :] for bit in range(8)
            ]
    return frames


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_with_a_flipped_bit_or_cut_anywhere_is_never_a_weight(name: str) -> None:
    """Continuous output promises it with its checksum only; the profile that is shipped has it."""
    decode = scale_codec(PROFILES[name]).decode
    assert [frame for frame in damaged_faults(name) if decode(frame).status == "ok"] == []


def test_a_decoder_that_looks_for_digits_is_caught_by_that() -> None:
    caught = [
        name
        for name in NAMES
        if any(re.search(rb"[0-9]+\.?[0-9]* *(kg)?", frame) for frame in damaged_faults(name))
    ]
    assert {"sma", "and-standard", "toledo-continuous", "nci-scp01"} <= set(caught)


def test_without_its_checksum_continuous_output_cannot_promise_that() -> None:
    profile = shipped("toledo-continuous", checksum=False)
    frame = bytearray(encode(profile, value="1.50", fault="overload"))
    frame[2] ^= 0x04
    assert scale_codec(profile).decode(bytes(frame)).status == "ok"


@pytest.mark.parametrize("name", NAMES)
@given(sizes=st.lists(st.integers(1, 9), max_size=30))
@settings(max_examples=25, deadline=None)
def test_frames_come_out_whole_however_the_bytes_arrive(name: str, sizes: list[int]) -> None:
    codec = scale_codec(PROFILES[name])
    frames = [encode(PROFILES[name], value=value) for value in ("0.250", "12.50", "3")]
    frames += [frame for _, frame in faults_of(name)]
    stream, pieces, start = b"\r\n" + b"".join(frames), [], 0
    for size in [*sizes, len(stream)]:
        pieces.append(stream[start : start + size])
        start += size
    readings = framed(codec, pieces)
    wanted = [codec.decode(frame) for frame in frames]
    assert [(each.status, each.value) for each in readings] == [
        (each.status, each.value) for each in wanted
    ]
    assert framed(codec, [bytes([byte]) for byte in stream]) == readings


@pytest.mark.parametrize("name", NAMES)
@given(value=weights(), noise=st.binary(max_size=6))
@settings(max_examples=15, deadline=None)
def test_a_stream_that_is_entered_anywhere_gives_no_wrong_weight(
    name: str, value: str, noise: bytes
) -> None:
    if name in DEMAND:
        value = value.lstrip("-")
    codec = scale_codec(PROFILES[name])
    frame = encode(PROFILES[name], value=value)
    for entered in range(len(frame)):
        readings = framed(codec, [frame[entered:], frame, frame])
        assert {each.value for each in readings if each.status == "ok"} == {value}, entered
        # what was sent before the line broke must not be glued to what comes after it
        readings = framed(codec, [frame, frame[:entered], frame, frame])
        assert {each.value for each in readings if each.status == "ok"} <= {value}, entered
    readings = framed(codec, [b"\r\n", noise.translate(None, b"0123456789"), frame, frame, frame])
    assert readings[-1].value == value


def test_an_unguarded_framer_is_caught_by_that() -> None:
    codec = scale_codec(PROFILES["ohaus"])
    frame = encode(PROFILES["ohaus"], value="123.45")
    tail = frame[frame.index(b"3.45") :]
    assert [codec.decode(line).value for line in Lines().feed(tail)] == ["3.45"]
    assert framed(codec, [tail]) == []


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_bytes_crash_a_decoder_or_a_framer(name: str, data: st.DataObject) -> None:
    codec = scale_codec(PROFILES[name])
    whole = encode(PROFILES[name], value="12.50")
    alphabet = sorted(set(whole) | set(b"?+-. \r\n\x02\x03\x7f\xff"))
    frame = data.draw(
        st.binary(max_size=40) | st.lists(st.sampled_from(alphabet), max_size=24).map(bytes)
    )
    command = data.draw(st.none() | st.sampled_from(["W", "B", "A", "Ehello", "S", "\nD\r"]))
    for reading in [codec.decode(frame, command), *framed(codec, [frame, whole, frame])]:
        assert (reading.value is not None) == (reading.status == "ok")
        if reading.value is not None:
            assert re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", reading.value)
        assert "\x00" not in reading.said


@pytest.mark.parametrize("protocol", SCALE_PROTOCOLS)
def test_decoding_by_hand_takes_any_frame_and_calls_silence_an_error(protocol: str) -> None:
    silence = decode_scale(protocol, b"")
    assert (silence["status"], silence["detail"], silence["value"]) == (
        "error",
        "no_response",
        None,
    )
    assert decode_scale(protocol, b"\xff\x00\xff")["status"] == "error"
    own = ScaleProfile(protocol="toledo-8217", unit="lb")
    assert decode_scale(protocol, b"", None, own)["status"] == "error"


@pytest.mark.parametrize("protocol", SCALE_PROTOCOLS)
def test_noise_takes_no_time(protocol: str) -> None:
    fill = [b" ", b"1", b"-", b"1.2 kg" + b" " * 40, b"\x02", b"\n", b"S S 1 "]
    heads = [b"", b"\n", b"S S ", b"ST,+", b"N ", b"\x02"]
    tails = [b"", b"kg", b"\r\n00\r\x03", b"x\r\n"]
    began = time.process_time()
    for head, byte, tail in itertools.product(heads, fill, tails):
        room = 1024 - len(head) - len(tail)
        frame = head + (byte * room)[:room] + tail
        assert decode_scale(protocol, frame)["status"] in {"error", "info"}, frame
        assert decode_scale(protocol, frame * 1000)["detail"] == "too_long"
    assert time.process_time() - began < 5


def test_an_unknown_protocol_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="known: mt-sics"):
        decode_scale("abacus", b"")
    with pytest.raises(ValueError, match="needs a profile"):
        decode_scale("regex", b"")


@pytest.mark.parametrize(
    ("name", "changes", "request_bytes", "start"),
    [
        ("mt-sics", {}, b"SI\r\n", None),
        ("mt-sics", {"command": "S"}, b"S\r\n", None),
        ("mt-sics", {"mode": "streamed", "start_command": "SIR"}, None, b"SIR\r\n"),
        ("toledo-8217", {}, b"W", None),
        ("toledo-continuous", {}, None, None),
        ("nci-scp01", {}, b"W\r", None),
        ("sma", {}, b"\nW\r", None),
        ("sma", {"command": "\\nH\\r"}, b"\nH\r", None),
        ("and-standard", {}, b"Q\r\n", None),
        ("sartorius-sbi", {}, b"\x1bP\r\n", None),
        ("ohaus", {"start_command": "CP\r\n"}, b"IP\r\n", b"CP\r\n"),
    ],
)
def test_a_command_is_sent_with_the_ends_of_its_protocol(
    name: str, changes: dict[str, object], request_bytes: bytes | None, start: bytes | None
) -> None:
    profile = shipped(name, **changes)
    assert scale_codec(profile).request() == request_bytes
    assert start_bytes(profile) == start


@pytest.mark.parametrize("bad", ["", "1.", "01.5", "+1", "1e3", "one", "1.2[3]"])
def test_an_encoder_takes_decimal_text_only(bad: str) -> None:
    with pytest.raises(ValueError, match="decimal text"):
        encode(PROFILES["mt-sics"], value=bad)


@pytest.mark.parametrize(
    "name", ["mt-sics", "sma", "nci-scp01", "toledo-continuous", "and-standard"]
)
def test_an_encoder_refuses_what_does_not_fit(name: str) -> None:
    with pytest.raises(ValueError, match="wider than"):
        encode(PROFILES[name], value="1234567890123")
